"""Cameras and meters of a plant: one port a kind, one adapter a library, one supervisor."""
