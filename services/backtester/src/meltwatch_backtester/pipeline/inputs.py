"""One input partition of history, record by record."""

from collections.abc import Iterator

from meltwatch_core.join.entry import Entry, read
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.score import Modality
from meltwatch_schemas.topics import Topic

from meltwatch_backtester.domain.tally import Tally
from meltwatch_backtester.ports import History, OffsetRange, TopicPart

TOPIC_OF = {Modality.VIDEO: Topic.EMBEDDINGS, Modality.CURRENT: Topic.CURRENTS}


class InputReader:
    """Reads the records of one modality in offset order, and counts them.

    Parameters
    ----------
    history
        Where from.
    modality, partition
        Which partition of which topic.
    offsets
        What may be read.
    tally
        What is read and refused is counted there.
    """

    def __init__(
        self,
        history: History,
        modality: Modality,
        partition: int,
        offsets: OffsetRange,
        tally: Tally,
    ) -> None:
        self._modality = modality
        self._part = TopicPart(TOPIC_OF[modality], partition)
        self._start = offsets.start
        self._records = history.read(self._part, *offsets)
        self._next: RawRecord | None = None
        self._tally = tally
        self.position = offsets.start

    def next(self) -> Entry | None:
        """Return the next record, or None at the end."""
        raw, self._next = self._peek(), None
        if raw is None:
            return None
        self.reached(raw.offset + 1)
        entry = read(raw, self._modality)
        self._tally.records[self._part.topic] += 1
        if isinstance(entry.content, ContractViolation):
            self._tally.dead_letters[entry.content.reason.value] += 1
        return entry

    def until(self, last_offset: int) -> Iterator[Entry]:
        """Yield the records up to an offset."""
        while (raw := self._peek()) is not None and raw.offset <= last_offset:
            entry = self.next()
            if entry is not None:
                yield entry
        self.reached(last_offset + 1)

    def reached(self, position: int) -> None:
        """Take note that all below an offset was read or is a gap."""
        self.position = max(self.position, position)
        self._tally.read(*self._part, self._start, self.position)

    def _peek(self) -> RawRecord | None:
        if self._next is None:
            self._next = next(self._records, None)
        return self._next
