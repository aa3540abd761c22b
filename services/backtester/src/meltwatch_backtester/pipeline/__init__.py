"""Replaying, judging and comparing, behind ports."""
