"""Errors named for what the caller does with them."""


class TransientError(Exception):
    """Try again within a bound; then stop consuming."""


class FatalError(Exception):
    """Leave with one line and a non-zero exit code; the supervisor decides what next."""

    exit_code = 1


class ConfigurationError(FatalError):
    """A setting is wrong or unknown: exit code 2."""

    exit_code = 2


class BadUsage(ConfigurationError):  # noqa: N818 - the name says what is the matter
    """An argument is not what the command expects: exit code 2."""


class BrokenRecording(ConfigurationError):  # noqa: N818 - the name says what is the matter
    """A recording is not what its manifest says, or none at all: exit code 2."""


class DependencyUnreachable(FatalError):  # noqa: N818 - the name says what is the matter
    """A broker, Redis or Triton does not answer: exit code 3."""

    exit_code = 3
