"""Apprise, Kafka and the channel file."""
