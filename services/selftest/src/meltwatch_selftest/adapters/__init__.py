"""Kafka and Redis, one client library each."""
