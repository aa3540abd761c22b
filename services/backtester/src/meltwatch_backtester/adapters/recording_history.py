"""What a live system left behind, read from a recording."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from meltwatch_chassis.recording.manifest import Manifest, Part, Segment
from meltwatch_chassis.recording.reader import read_manifest, segment_records
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import timestamp_ms

from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.ports import OffsetRange, Saved, TopicPart

_NOTHING: Final = OffsetRange(0, 0)


class RecordingHistory:
    """A ``History`` in a folder; each segment is checked against its SHA-256 when it is read.

    Parameters
    ----------
    folder
        Where the recording is.
    manifest
        Its manifest.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._manifest = manifest
        self._parts = {TopicPart(part.topic, part.partition): part for part in manifest.parts}
        self.prefix = manifest.topic_prefix
        self.partitions = manifest.partitions
        self.partial = manifest.partial
        self.saved: Saved | None = Saved(_span(manifest), frozenset(manifest.recorded_partitions))

    def bounds(self, part: TopicPart) -> OffsetRange:
        """Return the offsets that were saved; empty for a part that was not."""
        found = self._parts.get(part)
        return _NOTHING if found is None else OffsetRange(found.start, found.end)

    def start_at(self, part: TopicPart, time_ns: int) -> int:
        """Return the first offset whose record timestamp is not earlier, the end if none is."""
        time_ms = timestamp_ms(time_ns)
        for segment in self._segments(part):
            if segment.max_timestamp_ms >= time_ms:
                for record in self._load(part, segment):
                    if record.timestamp_ms >= time_ms:
                        return record.offset
        return self.bounds(part).end

    def read(self, part: TopicPart, start: int, end: int) -> Iterator[RawRecord]:
        """Yield the records of ``[start, end)``, by offset, one segment in memory at a time."""
        for segment in self._segments(part):
            if segment.first_offset < end and segment.last_offset >= start:
                records = self._load(part, segment)
                yield from (record for record in records if start <= record.offset < end)

    def _segments(self, part: TopicPart) -> tuple[Segment, ...]:
        found: Part | None = self._parts.get(part)
        return () if found is None else found.segments

    def _load(self, part: TopicPart, segment: Segment) -> Iterator[RawRecord]:
        return segment_records(self._folder, self._manifest, self._parts[part], segment)


def open_recording(folder: Path) -> RecordingHistory:
    """Return the history that a recording holds.

    Raises
    ------
    BrokenRecording
        If there is no manifest, or none that we can read.
    """
    return RecordingHistory(folder, read_manifest(folder))


def _span(manifest: Manifest) -> Span:
    return Span(ns_from_utc(manifest.since), ns_from_utc(manifest.until))
