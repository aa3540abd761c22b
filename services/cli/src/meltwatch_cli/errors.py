"""What ends a command early, each with its exit code; the text is one line for people."""

from meltwatch_chassis.errors import BadUsage, DependencyUnreachable

__all__ = ["BadUsage", "NoAnswer"]


class NoAnswer(DependencyUnreachable):
    """A service took too long to answer: exit code 3."""
