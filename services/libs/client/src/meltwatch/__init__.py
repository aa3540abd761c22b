"""Meltwatch for data scientists."""
