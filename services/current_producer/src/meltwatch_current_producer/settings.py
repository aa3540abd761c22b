"""What the current producer can be told by environment."""

from meltwatch_chassis.settings import ProducerSettings


class Settings(ProducerSettings):
    """Address of the broker and the simulated meters."""
