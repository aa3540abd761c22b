"""Records of the input topics, ready to be sent or to be handed to a pipeline."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from meltwatch_schemas import current, embedding
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.current import CurrentChunk, encode_current
from meltwatch_schemas.embedding import EmbeddingChunk, encode_embedding
from meltwatch_schemas.encoder import Encoder, default_encoder
from meltwatch_schemas.record import RawRecord, headers_for
from meltwatch_schemas.topics import Topic, timestamp_ms
from meltwatch_schemas.window import NS_PER_MS, PUBLISHED_SPEC

ORIGIN_NS = 1_760_000_000_000_000_000
STRIDE_NS = PUBLISHED_SPEC.frame_stride_ns
PERIOD_NS = PUBLISHED_SPEC.sample_period_ns
BOOT_ID = "0123456789abcdef"


@dataclass(frozen=True)
class InputRecord:
    """A record before it has an offset."""

    topic: Topic
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int

    def at(self, offset: int, *, prefix: str = "meltwatch", partition: int = 0) -> RawRecord:
        """The record as it is read from a partition."""
        return RawRecord(
            self.topic.under(prefix),
            partition,
            offset,
            self.timestamp_ms,
            self.key,
            self.value,
            self.headers,
        )

    def with_headers(self, *headers: tuple[str, bytes | None]) -> "InputRecord":
        """The same record under other headers."""
        return replace(self, headers=headers)


def identity(furnace_id: str, source_id: str, seq: int, sent_ns: int) -> ChunkIdentity:
    return ChunkIdentity(
        furnace_id=furnace_id,
        source_id=source_id,
        boot_id=BOOT_ID,
        seq=seq,
        ingest_time_ns=sent_ns,
    )


def frame_record(
    furnace_id: str,
    event_ns: int,
    *,
    source_id: str = "camera",
    seq: int = 0,
    encoder: Encoder | None = None,
    sent_ns: int | None = None,
) -> InputRecord:
    """One frame whose content follows from its furnace and event time."""
    encoder = encoder or default_encoder()
    noise = np.random.default_rng((len(furnace_id), event_ns % 2**63))
    frame = noise.integers(0, 256, (1, 64, 64, 3), np.uint8)
    chunk = EmbeddingChunk(
        identity(furnace_id, source_id, seq, event_ns if sent_ns is None else sent_ns),
        np.array([event_ns], np.int64),
        encoder.encoder_id,
        encoder.encode(frame),
    )
    value = encode_embedding(chunk)
    headers = tuple(headers_for(embedding.SCHEMA))
    return InputRecord(
        Topic.EMBEDDINGS, furnace_id.encode(), value, headers, timestamp_ms(event_ns)
    )


def sample_record(
    furnace_id: str,
    event_ns: int,
    *,
    count: int = 2,
    source_id: str = "meter",
    seq: int = 0,
    sent_ns: int | None = None,
) -> InputRecord:
    """Samples at 500 ms whose values follow from their furnace and event time."""
    last_ns = event_ns + (count - 1) * PERIOD_NS
    noise = np.random.default_rng((len(furnace_id), event_ns % 2**63))
    chunk = CurrentChunk(
        identity(furnace_id, source_id, seq, last_ns if sent_ns is None else sent_ns),
        event_ns,
        PERIOD_NS,
        noise.normal(40_000, 2_000, (count, 3)).astype(np.float32),
    )
    value = encode_current(chunk)
    headers = tuple(headers_for(current.SCHEMA))
    return InputRecord(Topic.CURRENTS, furnace_id.encode(), value, headers, timestamp_ms(last_ns))


def live(
    furnace_ids: Iterable[str],
    seconds: float,
    *,
    start_ns: int = ORIGIN_NS,
    encoder: Encoder | None = None,
) -> list[InputRecord]:
    """What producers send of some furnaces in some time: by event time, nothing late.

    A message of the meter holds two samples, as a plant's own producer may cut it. Ours end it with
    the sample that lets a window close (``meltwatch_producers.feeds.meter_messages``).
    """
    end_ns = start_ns + round(seconds * 1000) * NS_PER_MS
    records = [record for name in furnace_ids for record in _of(name, start_ns, end_ns, encoder)]
    return sorted(records, key=lambda record: (record.timestamp_ms, record.topic.value))


def _of(
    furnace_id: str, start_ns: int, end_ns: int, encoder: Encoder | None
) -> Iterator[InputRecord]:
    phase_ns = PUBLISHED_SPEC.phase_ns(furnace_id) % STRIDE_NS
    first_ns = start_ns - (start_ns - phase_ns) % STRIDE_NS + STRIDE_NS
    for seq, event_ns in enumerate(range(first_ns, end_ns, STRIDE_NS)):
        yield frame_record(furnace_id, event_ns, seq=seq, encoder=encoder)
    step_ns = 2 * PERIOD_NS
    for seq, event_ns in enumerate(range(start_ns, end_ns - PERIOD_NS, step_ns)):
        yield sample_record(furnace_id, event_ns, seq=2 * seq)
