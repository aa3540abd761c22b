"""Adds to the alarm journal what Kafka has beyond it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic

from meltwatch_backtester.domain.volume import (
    Hole,
    KafkaNow,
    VolumeFacts,
    after,
    day_of,
    holes_of,
    is_full,
    next_volume,
)
from meltwatch_backtester.ports import JournalTopics


class Stored(Protocol):
    """A volume on disk."""

    @property
    def file(self) -> Path:
        """Where it is."""
        ...

    @property
    def facts(self) -> VolumeFacts:
        """What it says of itself."""
        ...


class Volumes(Protocol):
    """Where volumes are kept."""

    def volumes(self, topic: Topic) -> Sequence[Stored]:
        """Return the volumes of a topic in their order."""
        ...

    def write(
        self, topic: Topic, volume: VolumeFacts, records: Sequence[RawRecord], *, old: Path | None
    ) -> Path:
        """Write a volume with further records, as a whole or not at all; return its file."""
        ...


@dataclass(frozen=True, slots=True)
class Added:
    """What a run has added to a topic of the journal.

    Attributes
    ----------
    topic
        Which.
    records
        How many records.
    end
        Offset that comes next.
    hole
        What had been lost before this run, if anything.
    """

    topic: Topic
    records: int
    end: int
    hole: Hole | None


def catch_up(
    topic: Topic, kafka: JournalTopics, journal: Volumes, advance: Callable[[int], None]
) -> Added:
    """Write down all that a topic has beyond the journal.

    Volumes are written in the order of offsets, and each says where it ends: whenever this is
    interrupted, the next run goes on behind the last record that stands in a file. A run that finds
    nothing writes the newest volume too: that shows that it was looked at.

    Parameters
    ----------
    topic
        Which one.
    kafka, journal
        From where, and where to.
    advance
        Told of each record.
    """
    now = kafka.now(topic)
    stored = journal.volumes(topic)
    last = stored[-1] if stored else None
    volume = next_volume(last.facts if last else None, kafka.name(topic), now)
    file = last.file if last and volume is last.facts else None
    hole = next(holes_of([last.facts, volume]), None) if last and file is None else None
    begun = volume.start if file else None
    count = 0
    end = volume.end
    for filled, records in _filled(volume, kafka.read(topic, volume.end, now.end), now):
        # Behind a full one, another begins.
        file = journal.write(topic, filled, records, old=file if begun == filled.start else None)
        begun, end = filled.start, filled.end
        count += len(records)
        advance(len(records))
    return Added(topic, count, end, hole)


def _filled(
    volume: VolumeFacts, records: Iterator[RawRecord], now: KafkaNow
) -> Iterator[tuple[VolumeFacts, list[RawRecord]]]:
    """Yield volumes with what is to be added to each; the last one reaches to the topic's end."""
    waiting: list[RawRecord] = []
    for record in records:
        day = day_of(record.timestamp_ms)
        if is_full(volume, day):
            if waiting:
                yield _run(volume, now), waiting
            volume, waiting = after(volume, now.now_ns), []
        if volume.rows == 0:
            volume = volume.model_copy(update={"day": day})
        waiting.append(record)
        changed = {"rows": volume.rows + 1, "end": record.offset + 1}
        volume = volume.model_copy(update=changed)
    whole = volume.model_copy(update={"end": max(volume.end, now.end)})
    yield _run(whole, now), waiting


def _run(volume: VolumeFacts, now: KafkaNow) -> VolumeFacts:
    return volume.model_copy(update={"last_run_ns": now.now_ns})
