"""What ends a command early, each with its exit code; the text is one line for people."""

from meltwatch_chassis.errors import BadUsage, BrokenRecording, ConfigurationError

__all__ = ["BadUsage", "BrokenJournal", "BrokenRecording", "HistoryMissing"]


class HistoryMissing(ConfigurationError):  # noqa: N818 - the name says what is the matter
    """A part of the requested span is no longer there: exit code 2."""


class BrokenJournal(ConfigurationError):  # noqa: N818 - the name says what is the matter
    """A file of an alarm journal is spoilt: exit code 2."""
