"""A record of an input topic, and what it says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from meltwatch_schemas.errors import ContractViolation, malformed
from meltwatch_schemas.record import RawRecord, read_current, read_embedding
from meltwatch_schemas.score import Modality

from meltwatch_core.join.buffers import Chunk
from meltwatch_core.join.merge import Entry

# What a record costs in memory beside its bytes.
_OVERHEAD_BYTES: Final = 1024
_READERS: Final[Mapping[Modality, Callable[[RawRecord], Chunk]]] = {
    Modality.VIDEO: read_embedding,
    Modality.CURRENT: read_current,
}


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """A record as it came, and what it says: a chunk, or why it is refused.

    Attributes
    ----------
    raw
        Key, bytes and headers, which a late copy or a dead letter keeps.
    content
        The chunk or the refusal.
    """

    raw: RawRecord
    content: Chunk | ContractViolation


def read(raw: RawRecord, modality: Modality) -> Entry[ReadRecord]:
    """Decode a record of an input topic and give it its place in the reading order."""
    size_bytes = len(raw.value or b"") + _OVERHEAD_BYTES
    try:
        chunk = _READERS[modality](raw)
    except ContractViolation as refusal:
        return Entry(modality, raw.offset, None, size_bytes, ReadRecord(raw, refusal))
    except Exception as error:  # noqa: BLE001 - whatever a record does to a decoder, it is kept
        unforeseen = malformed(f"expected a record that can be decoded, got {error!r}"[:300])
        return Entry(modality, raw.offset, None, size_bytes, ReadRecord(raw, unforeseen))
    return Entry(modality, raw.offset, chunk.last_event_ns, size_bytes, ReadRecord(raw, chunk))
