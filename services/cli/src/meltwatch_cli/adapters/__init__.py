"""One client library per module; no decisions."""
