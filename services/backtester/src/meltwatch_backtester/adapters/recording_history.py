"""What a live system left behind, read from a recording."""

import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import timestamp_ms
from pydantic import ValidationError

from meltwatch_backtester.adapters.segment_codec import unpack_records
from meltwatch_backtester.domain.manifest import FILE_NAME, Manifest, Part, Segment
from meltwatch_backtester.errors import BrokenRecording
from meltwatch_backtester.ports import OffsetRange, Saved, TopicPart

_MAX_MANIFEST_BYTES: Final = 256 * 1024 * 1024
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
        self._parts = {TopicPart(part.topic, part.partition): part for part in manifest.parts}
        self.prefix = manifest.topic_prefix
        self.partitions = manifest.partitions
        self.partial = manifest.partial
        self.saved: Saved | None = Saved(manifest.span, frozenset(manifest.recorded_partitions))

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
        data = _checked(self._folder, segment)
        try:
            yield from unpack_records(data, part.topic.under(self.prefix), part.partition)
        except BrokenRecording as error:
            raise BrokenRecording(f"{self._folder / segment.file}: {error}") from error


def open_recording(folder: Path) -> RecordingHistory:
    """Return the history that a recording holds.

    Raises
    ------
    BrokenRecording
        If there is no manifest, or none that we can read.
    """
    path = folder / FILE_NAME
    try:
        text = _read(path, _MAX_MANIFEST_BYTES)
    except OSError as error:
        raise BrokenRecording(
            f"{folder}: expected a finished recording, which has a {FILE_NAME}: {error.strerror}"
        ) from error
    try:
        return RecordingHistory(folder, Manifest.model_validate_json(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise BrokenRecording(f"{path}: {where}: {first['msg']}") from error


def _checked(folder: Path, segment: Segment) -> bytes:
    path = folder / segment.file
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BrokenRecording(f"{path}: expected a segment in the folder, got a link out of it")
    try:
        data = _read(path, segment.bytes)
    except OSError as error:
        raise BrokenRecording(f"{path}: expected a segment: {error.strerror}") from error
    if len(data) != segment.bytes:
        raise BrokenRecording(f"{path}: expected {segment.bytes} bytes, got {len(data)}")
    if (found := hashlib.sha256(data).hexdigest()) != segment.sha256:
        raise BrokenRecording(f"{path}: expected SHA-256 {segment.sha256}, got {found}")
    return data


def _read(path: Path, at_most: int) -> bytes:
    """Return a file's bytes, one more than allowed at most."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file")
    with path.open("rb") as file:
        return file.read(at_most + 1)
