"""Tells people of alarms until they are acknowledged, by whatever channel Apprise knows."""
