"""The state topics of a broker into segments of a folder, and back into empty topics."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from meltwatch_chassis.errors import BadUsage, DependencyUnreachable
from meltwatch_chassis.recording.manifest import BackupManifest, Part
from meltwatch_chassis.recording.reader import segment_records
from meltwatch_chassis.recording.writer import RecordingWriter
from meltwatch_core.alarms.authorship import MAX_OWN_EPOCH, claimed_epoch
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.unread import UnreadBatch

from meltwatch_cli.domain.state_copy import (
    STATE,
    Authors,
    epoch_after,
    judged_below,
    newest_epoch,
    resumptions,
    schema_of,
)

_AT_ONCE: Final = 500
_BYTES_AT_ONCE: Final = 4 * 1024 * 1024
_NO_TIMESTAMP: Final = -1
Advance = Callable[[int], None]


class StateSource(Protocol):
    """The state topics of a broker."""

    @property
    def prefix(self) -> str:
        """First part of the topic names."""
        ...

    def commits(self) -> Mapping[Place, Commit]:
        """Return what the alarm manager has committed."""
        ...

    def bounds(self, topic: Topic) -> tuple[int, int]:
        """Return the first offset of a topic and the one that comes next."""
        ...

    def read(self, topic: Topic, start: int, stop: int) -> Iterator[RawRecord]:
        """Yield the records of ``[start, stop)``, committed ones alone."""
        ...


class StateTransaction(Protocol):
    """What is written together or not at all."""

    def write(self, records: Sequence[OutgoingRecord]) -> list[int]:
        """Write records; return where they stand."""
        ...

    def commit(self, commits: Mapping[Topic, Commit]) -> None:
        """Write how far the alarm manager is done with topics."""
        ...


class StateTarget(StateSource, Protocol):
    """The state topics of a broker that are to be filled."""

    def writing(self) -> AbstractContextManager[StateTransaction]:
        """Give a transaction, which is committed if the block ends well."""
        ...


@dataclass(slots=True)
class SavedState:
    """What was saved of the state topics.

    Attributes
    ----------
    parts
        What the manifest says of them.
    judged
        By topic, the offset below which the alarm manager had judged everything.
    epoch
        Its newest generation.
    left_out
        By topic, how many records were not saved: unreadable ones, and those that somebody else
        has put among the alarm manager's.
    """

    parts: tuple[Part, ...]
    judged: dict[Topic, int]
    epoch: int
    left_out: dict[Topic, int]


def save_state(
    source: StateSource,
    sink: RecordingWriter,
    wait: Callable[[], bool],
    advance: Callable[[int], None],
) -> SavedState:
    """Save every state topic up to its present end.

    How far the alarm manager is comes first, the ends come later: a command that it judges in
    between is saved with its result, and is refused as a duplicate when it is judged again.

    Parameters
    ----------
    source, sink
        From where, and where to.
    wait
        Waits a moment for the alarm manager's next commit; False once there is no patience left.
    advance
        Told how many offsets further it is.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer.
    BadUsage
        If the folder cannot be written.
    """
    commits = source.commits()
    bounds = {topic: source.bounds(topic) for topic in STATE}
    saved = SavedState((), judged_below(commits), newest_epoch(commits), {})
    copying = _Copying(saved, Authors(source.commits, wait))
    saved.parts = tuple(
        sink.write(
            (topic, 0),
            (start, end),
            copying.kept(topic, _told(source.read(topic, start, end), start, end, advance)),
        )
        for topic, (start, end) in bounds.items()
    )
    return saved


class _Copying:
    def __init__(self, saved: SavedState, authors: Authors) -> None:
        self._saved = saved
        self._authors = authors

    def kept(self, topic: Topic, records: Iterator[RawRecord]) -> Iterator[RawRecord]:
        for record in records:
            unread = isinstance(record.value, UnreadBatch)
            if unread or not self._authors.is_own(topic, record.offset):
                left_out = self._saved.left_out
                left_out[topic] = left_out.get(topic, 0) + 1
                continue
            if topic is Topic.ALARMS and (epoch := claimed_epoch(record)) <= MAX_OWN_EPOCH:
                self._saved.epoch = max(self._saved.epoch, epoch)
            yield record


def _told(
    records: Iterator[RawRecord], start: int, end: int, advance: Callable[[int], None]
) -> Iterator[RawRecord]:
    at = start
    for record in records:
        yield record
        advance(record.offset + 1 - at)
        at = record.offset + 1
    advance(end - at)


def check_fits(manifest: BackupManifest, prefix: str, folder: Path) -> None:
    """Refuse a backup that is not of these topics, or that this release cannot read.

    Raises
    ------
    BadUsage
        If so.
    """
    if manifest.topic_prefix != prefix:
        raise BadUsage(
            f"{folder}: expected a backup of the topics of {prefix!r}, got one of "
            f"{manifest.topic_prefix!r}; set MELTWATCH_TOPIC_PREFIX"
        )
    for topic in (part.topic for part in manifest.parts):
        if topic not in STATE:
            raise BadUsage(f"{folder}: expected topics that are backed up, got {topic}")
        if (found := manifest.schemas.get(topic)) != (known := schema_of(topic)):
            raise BadUsage(
                f"{folder}: expected {topic} of {known}, got {found}; restore it by release "
                f"{manifest.release}, which wrote it"
            )


def check_segments(folder: Path, manifest: BackupManifest, advance: Advance) -> None:
    """Read every record once.

    Raises
    ------
    BrokenRecording
        If a file is missing, or not what the manifest says of it.
    """
    for part in manifest.parts:
        for _ in _records(folder, manifest, part):
            advance(1)


def require_empty(target: StateTarget) -> None:
    """Refuse a broker whose state topics hold anything.

    Raises
    ------
    BadUsage
        If so.
    """
    for topic in STATE:
        found = next(target.read(topic, *target.bounds(topic)), None)
        if found is not None:
            raise BadUsage(
                f"{topic.under(target.prefix)}: expected an empty topic, found a record at offset "
                f"{found.offset}; stop all services, delete the topics and run "
                "'meltwatch topics create' first"
            )


def restore_state(
    target: StateTarget,
    folder: Path,
    manifest: BackupManifest,
    now_ns: int,
    advance: Advance,
    wait: Callable[[], bool],
) -> int:
    """Write every record of a backup, and how far the alarm manager was: all of it or nothing.

    Parameters
    ----------
    target, folder, manifest
        Where to, and from where.
    now_ns
        Wall clock, ns UTC.
    advance
        Told of each record.
    wait
        Waits a moment until what is committed can be read; False once there is no patience left.

    Returns
    -------
    The generation behind which the alarm manager begins.

    Raises
    ------
    BrokenRecording
        If a file is not what the manifest says of it.
    ConfigurationError
        If an alarm manager is running.
    DependencyUnreachable
        If the broker does not answer.
    """
    epoch = epoch_after(manifest.epoch, now_ns)
    begins = {topic: target.bounds(topic)[1] for topic in STATE}
    resumed = resumptions(manifest.judged, begins)
    lasts: dict[Topic, int] = {}
    with target.writing() as transaction:
        for part in manifest.parts:
            topic = part.topic.under(target.prefix)
            resumption = resumed.get(part.topic)
            for batch in _batches(_records(folder, manifest, part)):
                places = transaction.write([_outgoing(record, topic) for record in batch])
                lasts[part.topic] = places[-1]
                for record, place in zip(batch, places, strict=True):
                    if resumption is not None:
                        resumption.note(record.offset, place)
                advance(len(batch))
        transaction.commit({topic: each.commit(epoch) for topic, each in resumed.items()})
    for topic, last in lasts.items():
        while not _stands(target, topic, last):
            if not wait():
                raise DependencyUnreachable(
                    f"{topic.under(target.prefix)}: expected to read what was written up to offset "
                    f"{last}, got an end of {target.bounds(topic)[1]}; look into the broker's log"
                )
    return epoch


def _stands(target: StateTarget, topic: Topic, last: int) -> bool:
    """Tell whether a topic's last record can be read, or could until retention took it.

    Records keep their times. What is older than a topic's retention may go a moment after it came.
    """
    first, end = target.bounds(topic)
    if end <= last:
        return False
    return first > last or next(target.read(topic, last, last + 1), None) is not None


def _records(folder: Path, manifest: BackupManifest, part: Part) -> Iterator[RawRecord]:
    for segment in part.segments:
        yield from segment_records(folder, manifest, part, segment)


def _batches(records: Iterable[RawRecord]) -> Iterator[list[RawRecord]]:
    batch: list[RawRecord] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.value or b"")
        if len(batch) == _AT_ONCE or size >= _BYTES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _outgoing(record: RawRecord, topic: str) -> OutgoingRecord:
    timestamp_ms = None if record.timestamp_ms == _NO_TIMESTAMP else record.timestamp_ms
    return OutgoingRecord(
        topic, record.key, record.value, record.headers, timestamp_ms, record.partition
    )
