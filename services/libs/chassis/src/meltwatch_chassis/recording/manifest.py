"""What a recording says of itself: ``manifest.json``, and a backup: ``backup.json``; format 1.

Nothing in that of a recording depends on when or where it was written: the same history gives the
same bytes.
"""

from typing import Final, Literal, Self

from meltwatch_schemas.instants import UtcTime
from meltwatch_schemas.topics import Topic
from pydantic import BaseModel, ConfigDict, Field, model_validator

FILE_NAME: Final = "manifest.json"
BACKUP_NAME: Final = "backup.json"
MAX_SEGMENT_BYTES: Final = 16 * 1024 * 1024
"""A segment is read whole, and checked, before any of it is used."""

_Offset = Field(ge=0, description="Offset in the topic's partition.")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Segment(_Entry):
    """One file: records of one partition, one after the other, each a msgpack array."""

    file: str = Field(
        pattern=r"^[a-z-]{1,32}-[0-9]{5}/[0-9]{20}\.segment$", description="Path in the folder."
    )
    first_offset: int = _Offset
    last_offset: int = _Offset
    records: int = Field(ge=1, description="Number of records.")
    bytes: int = Field(ge=1, le=MAX_SEGMENT_BYTES, description="Size of the file.")
    min_timestamp_ms: int = Field(
        description="Oldest record timestamp: event time for inputs, window end for scores."
    )
    max_timestamp_ms: int = Field(description="Newest record timestamp.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file.")


class Part(_Entry):
    """One partition of one topic: offsets ``[start, end)``, all that there were of them."""

    topic: Topic = Field(description="Short name.")
    partition: int = Field(ge=0, description="Partition of the topic.")
    start: int = _Offset
    end: int = _Offset
    segments: tuple[Segment, ...] = Field(description="By offset.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        within = [o for s in self.segments for o in (s.first_offset, s.last_offset + 1)]
        offsets = [self.start, *within, self.end]
        if offsets != sorted(offsets):
            raise ValueError(f"{self.topic}/{self.partition}: expected segments by offset")
        return self


class Manifest(_Entry):
    """What a recording holds."""

    format: Literal[1] = Field(default=1, description="Version of this layout.")
    topic_prefix: str = Field(description="First part of the topic names.")
    partitions: int = Field(ge=1, description="Partitions of the inputs and scores in Kafka.")
    recorded_partitions: tuple[int, ...] = Field(description="Those that were saved, whole.")
    since: UtcTime = Field(alias="from", description="Event time from which it can be replayed.")
    until: UtcTime = Field(alias="to", description="Event time up to which, itself excluded.")
    partial: bool = Field(description="Something of the span may be missing.")
    parts: tuple[Part, ...] = Field(description="What was saved of each topic.")


class FolderArchive(_Entry):
    """One folder of files, as a tar file beside the manifest."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$", description="What the folder is called.")
    files: int = Field(ge=0, description="Number of files.")
    bytes: int = Field(ge=0, description="Size of the tar file.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the tar file.")

    @property
    def file(self) -> str:
        """Name of the tar file."""
        return f"{self.name}.tar"


class BackupManifest(_Entry):
    """What a backup holds: the topics that nothing else could fill again, and folders of files."""

    format: Literal[1] = Field(default=1, description="Version of this layout.")
    release: str = Field(max_length=100, description="Release that wrote it.")
    taken_at: UtcTime = Field(description="When.")
    topic_prefix: str = Field(description="First part of the topic names.")
    epoch: int = Field(ge=0, le=2**53, description="Newest generation of the alarm manager.")
    schemas: dict[Topic, str] = Field(description="By topic, the messages' schema: alarm/1.")
    judged: dict[Topic, int] = Field(
        description="Below these offsets the alarm manager had judged everything."
    )
    parts: tuple[Part, ...] = Field(description="What was saved of each topic.")
    archives: tuple[FolderArchive, ...] = Field(description="Folders of files.")

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        topics = [part.topic for part in self.parts]
        if len(set(topics)) != len(topics) or any(part.partition for part in self.parts):
            raise ValueError("expected one part of each topic, partition 0")
        if len({each.name for each in self.archives}) != len(self.archives):
            raise ValueError("expected archives of different names")
        return self
