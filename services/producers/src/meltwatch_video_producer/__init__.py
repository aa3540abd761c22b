"""Publishes frame embeddings of one or more cameras."""
