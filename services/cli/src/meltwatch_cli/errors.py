"""What ends a command early, each with its exit code; the text is one line for people."""

from meltwatch_chassis.errors import ConfigurationError, DependencyUnreachable, FatalError


class BadUsage(ConfigurationError):  # noqa: N818 - the name says what is the matter
    """An argument is not what the command expects: exit code 2."""


class NoAnswer(DependencyUnreachable):
    """A service took too long to answer: exit code 3."""


class BrokenView(FatalError):  # noqa: N818 - the name says what is the matter
    """Redis holds something that the contract does not know: exit code 1."""
