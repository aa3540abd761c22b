"""State topics in memory: what a backup reads and a restore fills."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from meltwatch_chassis.recording.manifest import BACKUP_NAME, BackupManifest
from meltwatch_chassis.recording.writer import RecordingWriter
from meltwatch_cli.domain.state_copy import STATE, schema_of
from meltwatch_cli.pipeline.copying import save_state
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

NOW_NS = 1_800_000_000 * NS_PER_S
PREFIX = "meltwatch"


def state_record(topic: Topic, offset: int, **changes: Any) -> RawRecord:
    """Return a record of a state topic."""
    made = RawRecord(
        topic.under(PREFIX), 0, offset, 1_000 + offset, b"a/b/c", b'{"epoch":3}',
        (("schema", b"alarm/1.0"),),
    )  # fmt: skip
    return replace(made, **changes)


@dataclass
class StateInMemory:
    """A ``StateTarget`` without a broker; each transaction leaves a marker, as Kafka's do.

    Attributes
    ----------
    topics
        By topic its records, by offset.
    notes
        What the alarm manager has committed, each time that it is asked for; the last one stays.
    ends
        By topic, the offset that comes next.
    """

    topics: dict[Topic, list[RawRecord]] = field(default_factory=dict)
    notes: list[Mapping[Place, Commit]] = field(default_factory=lambda: [{}])
    prefix: str = PREFIX
    ends: dict[Topic, int] = field(default_factory=dict)

    def commits(self) -> Mapping[Place, Commit]:
        return self.notes.pop(0) if len(self.notes) > 1 else self.notes[0]

    def bounds(self, topic: Topic) -> tuple[int, int]:
        held = self.topics.get(topic, [])
        first = held[0].offset if held else self.ends.get(topic, 0)
        return first, self.ends.get(topic, held[-1].offset + 1 if held else 0)

    def read(self, topic: Topic, start: int, stop: int) -> Iterator[RawRecord]:
        held = self.topics.get(topic, [])
        return iter([record for record in held if start <= record.offset < stop])

    @contextmanager
    def writing(self) -> Iterator["_Writing"]:
        begun = _Writing(self)
        try:
            yield begun
        except BaseException:
            # What was aborted takes offsets, and nobody reads it.
            self.ends |= {t: end + 1 for t, end in begun.ends.items() if end != self._end(t)}
            raise
        self.ends |= {topic: end + 1 for topic, end in begun.ends.items()}
        self.topics |= begun.written
        self.notes = [begun.committed]

    def _end(self, topic: Topic) -> int:
        return self.bounds(topic)[1]


class _Writing:
    def __init__(self, state: StateInMemory) -> None:
        self.ends = {topic: state.bounds(topic)[1] for topic in STATE}
        self.written: dict[Topic, list[RawRecord]] = {}
        self.committed: dict[Place, Commit] = {}

    def write(self, records: Sequence[OutgoingRecord]) -> list[int]:
        return [self._stand(record) for record in records]

    def _stand(self, sent: OutgoingRecord) -> int:
        topic = next(each for each in STATE if each.under(PREFIX) == sent.topic)
        offset = self.ends[topic]
        self.ends[topic] += 1
        record = RawRecord(
            sent.topic, 0, offset, sent.timestamp_ms or 0, sent.key, sent.value, sent.headers
        )
        self.written.setdefault(topic, []).append(record)
        return offset

    def commit(self, commits: Mapping[Topic, Commit]) -> None:
        self.committed = {Place(topic, 0): commit for topic, commit in commits.items()}


def write_backup(
    state: StateInMemory, folder: Path, wait: Callable[[], bool] = lambda: False
) -> BackupManifest:
    """Write a backup of topics in memory; return its manifest."""
    sink = RecordingWriter(folder, segment_bytes=200)
    found = save_state(state, sink, wait, lambda _: None)
    manifest = BackupManifest(
        release="0.2.0", taken_at=utc_from_ns(NOW_NS), topic_prefix=PREFIX, epoch=found.epoch,
        schemas={topic: schema_of(topic) for topic in STATE}, judged=found.judged,
        parts=found.parts, archives=(),
    )  # fmt: skip
    sink.finish(manifest, BACKUP_NAME)
    return manifest
