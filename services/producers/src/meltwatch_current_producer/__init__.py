"""Publishes three-phase currents of one or more meters."""
