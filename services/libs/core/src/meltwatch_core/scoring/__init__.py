"""Asking the ensemble about windows, through outages, and the score that comes of it."""
