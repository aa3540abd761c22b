"""Joins video and currents by event time into windows and scores them."""
