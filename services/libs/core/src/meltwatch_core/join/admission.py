"""Which records a furnace accepts: one source per modality, one encoder; rule 10 of the join."""

from collections.abc import Mapping

from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.score import Modality

from meltwatch_core.join.buffers import Chunk


def refusal_of(
    chunk: Chunk, sources: Mapping[Modality, str], encoder_id: str
) -> ContractViolation | None:
    """Return why a record is not admitted, or None.

    Parameters
    ----------
    chunk
        A valid chunk.
    sources
        Those that its furnace has; empty before its first record.
    encoder_id
        The encoder that the ensemble serves.
    """
    source = chunk.identity.source_id
    expected = sources.get(chunk.modality, source)
    if source != expected:
        return ContractViolation(
            Refusal.UNEXPECTED_SOURCE,
            f"source_id: expected {expected[:80]!r}, which {chunk.identity.furnace_id} has "
            f"until it is retired, got {source[:80]!r}",
        )
    found = _encoder_of(chunk, encoder_id)
    if found != encoder_id:
        return ContractViolation(
            Refusal.UNKNOWN_ENCODER,
            f"encoder_id: expected {encoder_id!r}, got {found[:80]!r}",
        )
    return None


def was_admitted(chunk: Chunk, sources: Mapping[Modality, str], encoder_id: str) -> bool:
    """Tell whether a record was admitted in an earlier life whose sources are known."""
    is_known = sources.get(chunk.modality) == chunk.identity.source_id
    return is_known and _encoder_of(chunk, encoder_id) == encoder_id


def _encoder_of(chunk: Chunk, served: str) -> str:
    """Return the encoder of a chunk; currents go with any."""
    return chunk.encoder_id if isinstance(chunk, EmbeddingChunk) else served
