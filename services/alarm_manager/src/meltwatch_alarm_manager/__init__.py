"""Turns scores into alarms with an operator's life cycle; projects them into Redis."""
