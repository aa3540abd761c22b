"""Sources into Kafka: frame embeddings of cameras, three-phase currents of meters."""
