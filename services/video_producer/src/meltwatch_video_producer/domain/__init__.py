"""Which frames a furnace needs."""
