"""Kafka beneath, OPC UA above."""
