"""Volumes of the alarm journal: which file comes next, and what a row of files does not hold."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple, Self

from meltwatch_schemas.access import ACCESS, Principal
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.window import NS_PER_S
from pydantic import BaseModel, ConfigDict, Field

JOURNALLED: Final = ACCESS[Principal.JOURNAL].inputs
"""Topics that a journal keeps."""
COMPACTED_AFTER_NS: Final = 7 * 24 * 3600 * NS_PER_S
"""Of the alarms topic: from then on Kafka may drop all but the newest record of an alarm."""
_LATEST_MS: Final = 253_402_300_799_000  # the end of the year 9999
MAX_ROWS: Final = 50_000
"""A volume of so many is full: each run writes the newest one anew."""


class VolumeFacts(BaseModel):
    """What a volume says of itself, in the metadata of its Parquet file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    form: int = Field(default=1, ge=1, le=1, description="Of the file's columns.")
    topic: str = Field(description="Full name.")
    topic_id: str | None = Field(description="What Kafka calls it; None from a broker without ids.")
    life: int = Field(ge=0, description="How many times the topic was made again.")
    day: str = Field(description="UTC day of its first record.")
    start: int = Field(ge=0, description="Offset of its first record or before.")
    end: int = Field(ge=0, description="Offset that comes next.")
    rows: int = Field(ge=0, description="How many records.")
    first_run_ns: int = Field(description="Wall clock of the run that began it.")
    last_run_ns: int = Field(description="Wall clock of the run that wrote it last.")


class KafkaNow(NamedTuple):
    """The topic as a run finds it: its id, its bounds, and the wall clock."""

    topic_id: str | None
    start: int
    end: int
    now_ns: int


@dataclass(frozen=True, slots=True)
class Hole:
    """Wall clock between which records may be missing from a journal, and why."""

    begin_ns: int
    end_ns: int
    why: str

    def __str__(self) -> str:
        begin, end = (
            f"{utc_from_ns(at):%Y-%m-%d %H:%M} UTC" for at in (self.begin_ns, self.end_ns)
        )
        return f"{begin} to {end}: {self.why}"


def next_volume(last: VolumeFacts | None, topic: str, kafka: KafkaNow) -> VolumeFacts:
    """Return the volume that a run begins with: the last one as it is, or a new empty one."""
    if last is None:
        return _begun(topic, kafka, 0, kafka.start)
    ids = {last.topic_id, kafka.topic_id} - {None}
    if len(ids) > 1:
        return _begun(topic, kafka, last.life + 1, kafka.start)
    # A broker that lost its end gives offsets twice: the rule of (epoch, seq) drops what repeats.
    start = max(min(last.end, kafka.end), kafka.start)
    goes_on = start == last.end and kafka.now_ns - last.last_run_ns < COMPACTED_AFTER_NS
    if goes_on and last.rows < MAX_ROWS:
        return last
    return _begun(topic, kafka, last.life, start)


def day_of(timestamp_ms: int) -> str:
    """Return the UTC day of a record, whatever somebody has written as its timestamp."""
    return utc_from_ns(min(max(timestamp_ms, 0), _LATEST_MS) * 1_000_000).strftime("%Y-%m-%d")


def is_full(volume: VolumeFacts, day: str) -> bool:
    """Tell whether a record of a day begins a new volume; days never go back."""
    return volume.rows >= MAX_ROWS or (volume.rows > 0 and day > volume.day)


def after(volume: VolumeFacts, now_ns: int) -> VolumeFacts:
    """Return the empty volume behind a full one."""
    changed = {"start": volume.end, "rows": 0, "first_run_ns": now_ns, "last_run_ns": now_ns}
    return volume.model_copy(update=changed)


def holes_of(volumes: Iterable[VolumeFacts]) -> Iterator[Hole]:
    """Yield what a row of volumes does not hold, in their order."""
    for before, behind in pairwise(volumes):
        begin_ns, end_ns = before.last_run_ns, behind.first_run_ns
        if before.life != behind.life:
            yield Hole(begin_ns, end_ns, "the topic was made again")
        elif behind.start > before.end:
            lost = behind.start - before.end
            yield Hole(begin_ns, end_ns, f"{lost} offsets were deleted, or a file is missing")
        elif end_ns - begin_ns >= COMPACTED_AFTER_NS:
            yield Hole(begin_ns, end_ns - COMPACTED_AFTER_NS, "the journal was not written")


class FileName(NamedTuple):
    """Name of a volume's file: they are numbered, and say their day."""

    number: int
    day: str

    @classmethod
    def of(cls, text: str) -> Self | None:
        """Return the name that a text is, None if it is none."""
        stem, _, ending = text.partition(".")
        number, _, day = stem.partition("-")
        if ending != "parquet" or not (number.isascii() and number.isdigit()):
            return None
        return cls(int(number), day)

    def __str__(self) -> str:
        return f"{self.number:06}-{self.day}.parquet"


def _begun(topic: str, kafka: KafkaNow, life: int, start: int) -> VolumeFacts:
    return VolumeFacts(
        topic=topic,
        topic_id=kafka.topic_id,
        life=life,
        day=day_of(kafka.now_ns // 1_000_000),
        start=start,
        end=start,
        rows=0,
        first_run_ns=kafka.now_ns,
        last_run_ns=kafka.now_ns,
    )
