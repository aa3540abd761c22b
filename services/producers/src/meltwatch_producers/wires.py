"""How chunks of one kind travel: the topic, the record's value, and the past that is sent first."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from meltwatch_chassis.tracing import TRACEPARENT, begin_trace
from meltwatch_schemas import current, embedding
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.record import OutgoingRecord, headers_for
from meltwatch_schemas.topics import Topic, timestamp_ms
from meltwatch_schemas.window import PUBLISHED_SPEC

AnyChunk = TypeVar("AnyChunk", bound=EmbeddingChunk | CurrentChunk)


@dataclass(frozen=True, slots=True)
class Wire(Generic[AnyChunk]):
    """How chunks of one kind travel.

    Attributes
    ----------
    topic
        Where to.
    schema
        Value of the ``schema`` header.
    encode, decode
        Give the record value of a chunk, and the chunk of a record value.
    backfill_ns
        Past that a source publishes at its start, so that the first live windows are whole.
    traced
        Each record begins a trace.
    """

    topic: Topic
    schema: str
    encode: Callable[[AnyChunk], bytes]
    decode: Callable[[bytes], AnyChunk]
    backfill_ns: int
    traced: bool = False

    def outgoing(self, topic: str, chunk: AnyChunk, now_ns: int) -> OutgoingRecord:
        """Return the record of a chunk that is sent at a wall time, ns UTC.

        Parameters
        ----------
        topic
            Full name.
        chunk
            The chunk, whose ingest time is filled in.
        now_ns
            Wall time.
        """
        identity = replace(chunk.identity, ingest_time_ns=now_ns)
        headers = headers_for(self.schema)
        if self.traced:
            headers.append((TRACEPARENT, begin_trace().encode()))
        return OutgoingRecord(
            topic,
            identity.furnace_id.encode(),
            self.encode(replace(chunk, identity=identity)),
            tuple(headers),
            timestamp_ms(chunk.last_event_ns),
        )


VIDEO_WIRE: Final[Wire[EmbeddingChunk]] = Wire(
    Topic.EMBEDDINGS,
    embedding.SCHEMA,
    embedding.encode_embedding,
    embedding.decode_embedding,
    # No more than the clip of the first live window: older frames would only cost scoring calls.
    PUBLISHED_SPEC.clip_span_ns + PUBLISHED_SPEC.hop_ns,
)
CURRENT_WIRE: Final[Wire[CurrentChunk]] = Wire(
    Topic.CURRENTS,
    current.SCHEMA,
    current.encode_current,
    current.decode_current,
    PUBLISHED_SPEC.lookback_ns + PUBLISHED_SPEC.hop_ns,
)
