"""What of a file may be repaired where somebody asks for it; otherwise it is refused."""

from enum import StrEnum


class Repair(StrEnum):
    """A repair by its name."""

    SECONDS = "seconds"
    """Seconds that repeat or go backward: each pair of rows of currents counts as the next second,
    as by the published loader, which reads rows by number. A frame whose second goes back counts
    as of the latest second before it, and a second that is named twice as the first."""
    VIDEO = "video"
    """Pictures that are no uint8: greys 0..255 in any other type, rounded."""
