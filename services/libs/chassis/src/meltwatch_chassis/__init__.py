"""How our processes run: settings, logging, lifecycle, health, metrics, Kafka, test doubles."""
