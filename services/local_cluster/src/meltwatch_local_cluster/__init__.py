"""Starts a broker, Redis, Triton and every service on one machine."""
