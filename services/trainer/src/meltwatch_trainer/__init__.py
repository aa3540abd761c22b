"""Trains, exports and verifies the models of triton_models (PyTorch lives here alone)."""
