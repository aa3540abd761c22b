"""Which samples a furnace needs."""
