"""How far a scores partition has been judged, and from where it would have to be read again.

The committed offset never passes the newest window of a furnace nor the first window of a running
delay. Whoever takes over reads from there and has the last window ends and the delays again; the
position beside the offset tells how much of that has been judged already.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from meltwatch_schemas.score import WindowScore

from meltwatch_core.alarms.condition import MAX_SILENCE_RECORDS


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest window of a furnace and model: its end in ns UTC and its offset."""

    end_ns: int
    offset: int


@dataclass(slots=True)
class PartitionProgress:
    """Reading state of one scores partition.

    Attributes
    ----------
    position
        Offset of the next record to judge or recall.
    judged
        Records below this offset were judged in an earlier life: recall them only.
    newest
        Newest window by (furnace id, model name). After ``MAX_SILENCE_RECORDS`` further records
        of the partition it is forgotten, so that a silent furnace does not hold back the others.
    """

    position: int
    judged: int = 0
    newest: dict[tuple[str, str], Newest] = field(default_factory=dict)

    def is_history(self, offset: int) -> bool:
        """Tell whether a record was judged in an earlier life."""
        return offset < self.judged

    def admit(self, score: WindowScore, offset: int) -> bool:
        """Note a score; tell whether it is newer than all before it of its furnace and model."""
        source = (score.furnace_id, score.model.name)
        known = self.newest.get(source)
        if known is not None and offset - known.offset > MAX_SILENCE_RECORDS:
            known = None
        if known is not None and score.window_end_ns <= known.end_ns:
            return False
        self.newest[source] = Newest(score.window_end_ns, offset)
        return True

    def forget_silent(self) -> None:
        """Drop what has been silent for too long."""
        horizon = self.position - MAX_SILENCE_RECORDS
        self.newest = {
            source: newest for source, newest in self.newest.items() if newest.offset >= horizon
        }

    def furnaces(self) -> set[str]:
        """Return the furnaces whose newest window is remembered."""
        return {furnace_id for furnace_id, _ in self.newest}

    def oldest_needed(self, delays: Iterable[int | None]) -> int:
        """Return the offset to commit.

        Parameters
        ----------
        delays
            For each alarm of the partition, the oldest offset that a running delay needs.
        """
        windows = (newest.offset for newest in self.newest.values())
        running = (offset for offset in delays if offset is not None)
        return min((*windows, *running), default=self.position)
