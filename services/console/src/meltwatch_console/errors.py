"""What the console cannot give."""


class TooDear(Exception):  # noqa: N818 - the name says what is the matter
    """What was asked for costs more bytes of Kafka than the console spends on a look."""


class NoPicture(Exception):  # noqa: N818 - the name says what is the matter
    """There is nothing to show, and the message says why in words for people."""


class RingRefused(Exception):  # noqa: N818 - the name says what is the matter
    """A file of traces is torn, or is none; the message says what was expected."""


class AlarmFileRefused(Exception):  # noqa: N818 - the name says what is the matter
    """A file of alarms is torn, or is none; the message says what was expected."""
