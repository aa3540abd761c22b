"""The alarm life cycle as pure functions on values."""
