"""All that the chassis knows of Kafka: connection, rights, topics, records, reading, writing."""
