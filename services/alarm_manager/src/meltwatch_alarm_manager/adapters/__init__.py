"""One client library each, no decisions."""
