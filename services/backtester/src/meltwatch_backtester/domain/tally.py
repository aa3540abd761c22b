"""What was read and what it led to, in numbers."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from meltwatch_schemas.topics import Topic


@dataclass(slots=True)
class PortrayedWindows:
    """The windows of one furnace that say something of a portrait.

    Attributes
    ----------
    computed
        Their novelty was computed again.
    carried_over
        It is as live said it: history does not hold the portrait any more.
    unknown_before
        It is as live said it: it rests on a score before the span that history does not hold.
    """

    computed: int = 0
    carried_over: int = 0
    unknown_before: int = 0


@dataclass(slots=True)
class Tally:
    """Counts over all partitions.

    Attributes
    ----------
    records
        By topic, how many were read.
    ranges
        By topic and partition, the offsets ``[start, end)`` that were read.
    late, duplicates
        Records that were late, and events whose instant was taken, within the span.
    dead_letters
        Refused records by the word for the dead letter.
    newest_live_ns
        When the newest live score that was read was published, within the span or behind it.
    portrayed
        By furnace, the windows that say something of a portrait.
    """

    records: Counter[Topic] = field(default_factory=Counter)
    ranges: dict[Topic, dict[int, tuple[int, int]]] = field(default_factory=dict)
    late: int = 0
    duplicates: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)
    newest_live_ns: int = 0
    portrayed: defaultdict[str, PortrayedWindows] = field(
        default_factory=lambda: defaultdict(PortrayedWindows)
    )

    def read(self, topic: Topic, partition: int, start: int, end: int) -> None:
        """Take note of the offsets that were read of a part."""
        self.ranges.setdefault(topic, {})[partition] = (start, end)
