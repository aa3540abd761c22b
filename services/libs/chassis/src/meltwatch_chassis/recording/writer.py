"""Writes a recording or a backup: a folder of segments, and last of all its manifest."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic
from pydantic import BaseModel

from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.recording.manifest import FILE_NAME, MAX_SEGMENT_BYTES, Part, Segment
from meltwatch_chassis.recording.segment_codec import pack_record


class RecordingWriter:
    """Where a recording goes: a folder.

    Parameters
    ----------
    folder
        Empty or not there yet.
    segment_bytes
        Largest size of a segment.

    Raises
    ------
    BadUsage
        If the folder holds something or cannot be written.
    """

    def __init__(self, folder: Path, segment_bytes: int = MAX_SEGMENT_BYTES) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if found := next(folder.iterdir(), None):
                raise BadUsage(f"expected an empty folder for the recording, found {found}")

    def write(
        self, part: tuple[Topic, int], offsets: tuple[int, int], records: Iterable[RawRecord]
    ) -> Part:
        """Save the records of a part, which come by offset, and return what the manifest says.

        Parameters
        ----------
        part
            Topic and partition.
        offsets
            ``[start, end)`` of what was looked through.
        records
            Those to save, by offset.
        """
        with disk_errors(self._folder):
            segments = tuple(self._segments(part, records))
        (topic, partition), (start, end) = part, offsets
        return Part(topic=topic, partition=partition, start=start, end=end, segments=segments)

    def finish(self, manifest: BaseModel, name: str = FILE_NAME) -> None:
        """Write the manifest, as a whole or not at all: without it a folder is no recording."""
        draft = self._folder / f"{name}.draft"
        with disk_errors(self._folder):
            _write(draft, manifest.model_dump_json(indent=2, by_alias=True).encode() + b"\n")
            draft.replace(self._folder / name)

    def _segments(self, part: tuple[Topic, int], records: Iterable[RawRecord]) -> Iterator[Segment]:
        draft = _Draft()
        for record in records:
            packed = pack_record(record)
            if draft.records and len(draft.data) + len(packed) > self._segment_bytes:
                yield self._saved(part, draft)
                draft = _Draft()
            draft.add_record(record, packed)
        if draft.records:
            yield self._saved(part, draft)

    def _saved(self, part: tuple[Topic, int], draft: "_Draft") -> Segment:
        folder = f"{part[0]}-{part[1]:05d}"
        segment = draft.segment(f"{folder}/{draft.first_offset:020d}.segment")
        (self._folder / folder).mkdir(exist_ok=True)
        _write(self._folder / segment.file, draft.data)
        return segment


class _Draft:
    """A segment in the making."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.records = 0
        self.first_offset = 0
        self._last_offset = 0
        self._timestamps: tuple[int, int] = (0, 0)

    def add_record(self, record: RawRecord, packed: bytes) -> None:
        """Append a record."""
        time_ms = record.timestamp_ms
        if not self.records:
            self.first_offset, self._timestamps = record.offset, (time_ms, time_ms)
        oldest, newest = self._timestamps
        self._timestamps = min(oldest, time_ms), max(newest, time_ms)
        self._last_offset = record.offset
        self.records += 1
        self.data += packed

    def segment(self, file: str) -> Segment:
        """Return what the manifest says of it."""
        return Segment(
            file=file,
            first_offset=self.first_offset,
            last_offset=self._last_offset,
            records=self.records,
            bytes=len(self.data),
            min_timestamp_ms=self._timestamps[0],
            max_timestamp_ms=self._timestamps[1],
            sha256=hashlib.sha256(self.data).hexdigest(),
        )


def _write(path: Path, data: bytes | bytearray) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a disk that does not take what is written into one line.

    Raises
    ------
    BadUsage
        Then.
    """
    try:
        yield
    except OSError as error:
        raise BadUsage(f"expected a folder that can be written, {folder}: {error}") from error
