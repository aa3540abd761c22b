"""Starts the servers and the services, keeps them alive, and ends them all."""
