"""What ends a command early, each with its exit code; the text is one line for people."""

from meltwatch_chassis.errors import ConfigurationError, DependencyUnreachable


class BadUsage(ConfigurationError):  # noqa: N818 - the name says what is the matter
    """An argument is not what the command expects: exit code 2."""


class NoAnswer(DependencyUnreachable):
    """A service took too long to answer: exit code 3."""
