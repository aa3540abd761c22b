"""What a command does in several steps, told what Kafka is."""
