"""A record of an input topic as the join takes it: where it stands, and what it says."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from meltwatch_schemas.errors import ContractViolation, malformed
from meltwatch_schemas.record import RawRecord, read_current, read_embedding
from meltwatch_schemas.score import Modality

from meltwatch_core.join.buffers import Chunk

# What a record costs in memory beside its bytes.
_OVERHEAD_BYTES: Final = 1024
_READERS: Final[Mapping[Modality, Callable[[RawRecord], Chunk]]] = {
    Modality.VIDEO: read_embedding,
    Modality.CURRENT: read_current,
}


class Entry(NamedTuple):
    """A record that was read.

    Attributes
    ----------
    modality, offset
        Where it stands: topic and offset within the partition pair.
    content
        The chunk, or why the record is refused.
    last_event_ns
        Event time of its last frame or sample; None if it is refused and takes no part.
    size_bytes
        What it holds in memory.
    raw
        Key, bytes and headers, which a late copy or a dead letter keeps.
    """

    modality: Modality
    offset: int
    content: Chunk | ContractViolation
    last_event_ns: int | None
    size_bytes: int
    raw: RawRecord


def read(raw: RawRecord, modality: Modality) -> Entry:
    """Decode a record of an input topic."""
    content: Chunk | ContractViolation
    try:
        content = _READERS[modality](raw)
    except ContractViolation as refusal:
        content = refusal
    except Exception as error:  # noqa: BLE001 - whatever a record does to a decoder, it is kept
        content = malformed(f"expected a record that can be decoded, got {error!r}"[:300])
    last_event_ns = None if isinstance(content, ContractViolation) else content.last_event_ns
    size_bytes = len(raw.value or b"") + _OVERHEAD_BYTES
    return Entry(modality, raw.offset, content, last_event_ns, size_bytes, raw)
