"""Alarm set-points from a budget of false alarms: pure functions of scores, no I/O, no clock."""
