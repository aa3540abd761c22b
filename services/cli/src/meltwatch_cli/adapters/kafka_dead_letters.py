"""The dead letters topic: stretches of it, single letters, and who redrove them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_chassis.kafka.access import TopicMissing, explained
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_schemas.access import Operation, Resource, Right
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.redrive import RedriveNote, journal_topic
from meltwatch_schemas.topics import Topic
from pydantic import ValidationError

_WORTH_A_SEEK: Final = 200
"""Letters further apart than this are sought, nearer ones read past."""
_CLOCKS_DIFFER_MS: Final = 300_000


@dataclass(frozen=True, slots=True)
class LetterSpan:
    """A stretch of the dead letters.

    Attributes
    ----------
    start, stop
        Offsets, stop excluded.
    is_cut
        Whether more letters were asked for than the stretch holds.
    """

    start: int
    stop: int
    is_cut: bool


class DeadLetterTopic:
    """Reads the dead letters under a prefix.

    Parameters
    ----------
    reader
        Kafka.
    prefix
        First part of the topic names.

    Raises
    ------
    DependencyUnreachable
        If the topic is missing.
    """

    def __init__(self, reader: SpanReader, prefix: str) -> None:
        self._reader = reader
        self.name = Topic.DEAD_LETTERS.under(prefix)
        partitions = reader.partitions(self.name)
        if not partitions:
            raise TopicMissing(self.name)
        if partitions != [0]:
            raise DependencyUnreachable(
                f"Kafka: expected the topic {self.name} with one partition; "
                "run 'meltwatch topics check'"
            )

    def span(self, since_ms: int | None, until_ms: int | None, most: int) -> LetterSpan:
        """Return where the newest letters set aside in a time stand, at most so many offsets."""
        stop = self._reader.end(self.name, 0)
        if until_ms is not None:
            stop = self._offset_of(until_ms, stop)
        start = self._reader.first_offset(self.name, 0)
        if since_ms is not None:
            start = max(start, self._offset_of(since_ms, stop))
        return LetterSpan(max(start, stop - most), stop, is_cut=stop - most > start)

    def letters(self, span: LetterSpan) -> Iterator[RawRecord]:
        """Yield the letters of a stretch, oldest first."""
        return self._reader.read(self.name, 0, span.start, span.stop)

    def take(self, ids: Sequence[int]) -> Iterator[RawRecord]:
        """Yield the letters with these ids, which ascend; those that are gone are left out."""
        first, end = self._reader.first_offset(self.name, 0), self._reader.end(self.name, 0)
        there = [number for number in ids if first <= number < end]
        for run in _runs(there):
            wanted = set(run)
            for raw in self._reader.read(self.name, 0, run[0], run[-1] + 1):
                if raw.offset in wanted:
                    yield raw

    def _offset_of(self, time_ms: int, otherwise: int) -> int:
        found = self._reader.offset_of(self.name, 0, time_ms)
        return otherwise if found is None else min(found, otherwise)


class RedriveNotes:
    """Reads the journal of redrives; a plant that never redrove has none.

    Parameters
    ----------
    reader
        Kafka; nobody else reads from it while notes are asked for.
    prefix
        First part of the topic names.
    since_ms
        When the oldest letter of interest was set aside, ms UTC.
    """

    def __init__(self, reader: SpanReader, prefix: str, since_ms: int) -> None:
        self._reader = reader
        self.topic = journal_topic(prefix)
        self._since_ms = since_ms - _CLOCKS_DIFFER_MS
        self._position: int | None = None

    def news(self) -> Iterator[RedriveNote]:
        """Yield the notes that were written since the last call, up to the present end."""
        if not self._reader.partitions(self.topic):
            return
        end = self._reader.end(self.topic, 0)
        if self._position is None:
            found = self._reader.offset_of(self.topic, 0, self._since_ms)
            self._position = end if found is None else found
        for raw in self._reader.read(self.topic, 0, self._position, end):
            try:
                yield RedriveNote.from_json(raw.value or b"")
            except ValidationError:
                continue  # not ours: whoever wrote it claims nothing
        self._position = end


@contextmanager
def open_dead_letters(
    connection: Mapping[str, Any], prefix: str
) -> Iterator[tuple[DeadLetterTopic, SpanReader]]:
    """Give access to the dead letters, with the client's errors in one line.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topic names.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer or the topic is missing.
    """
    names = (Topic.DEAD_LETTERS.under(prefix), journal_topic(prefix))
    rights = [Right(Operation.READ, Resource.TOPIC, name) for name in names]
    with explained(connection, rights), SpanReader.connected(connection) as reader:
        yield DeadLetterTopic(reader, prefix), reader


def _runs(ids: Sequence[int]) -> Iterator[list[int]]:
    """Cut ids into runs without great gaps."""
    run: list[int] = []
    for number in ids:
        if run and number - run[-1] > _WORTH_A_SEEK:
            yield run
            run = []
        run.append(number)
    if run:
        yield run
