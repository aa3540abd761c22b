"""Entries for the join, made from chunks that never were in Kafka."""

from meltwatch_core.join.buffers import Chunk
from meltwatch_core.join.entry import Entry
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.score import Modality


def entry_at(
    modality: Modality,
    offset: int,
    content: Chunk | ContractViolation,
    last_event_ns: int | None = None,
    size_bytes: int = 1,
) -> Entry:
    """An entry whose record is not looked at."""
    raw = RawRecord(modality, 0, offset, 0, None, None, ())
    return Entry(modality, offset, content, last_event_ns, size_bytes, raw)


def entry_of(chunk: Chunk, offset: int) -> Entry:
    """An entry that holds a chunk."""
    return entry_at(chunk.modality, offset, chunk, chunk.last_event_ns)
