"""Faust, and all that exists because Faust drops, repeats or stalls; imported here alone."""
