"""Sends many furnaces' past far faster than it passed: ``python -m tests.chaos.flood``.

As a gateway does that was cut off and delivers all at once: event times in order, both topics side
by side, nothing late. It ends by itself.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np
from kafka import KafkaProducer
from meltwatch_schemas.embedding import SCHEMA, EmbeddingChunk, encode_embedding
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.topics import Topic, timestamp_ms
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.support.input_records import (
    ORIGIN_NS,
    PERIOD_NS,
    STRIDE_NS,
    InputRecord,
    identity,
    sample_record,
)

_PIECE_S = 2
_POOL = 64


def furnace_ids(count: int) -> list[str]:
    """The furnaces that a flood is of."""
    return [f"flood/melt/F{number:02d}" for number in range(count)]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--furnaces", type=int, required=True)
    parser.add_argument("--speed", type=float, required=True, help="event seconds per second")
    parser.add_argument("--seconds", type=float, required=True, help="how long it sends")
    asked = parser.parse_args(arguments)
    producer = KafkaProducer(bootstrap_servers=asked.kafka)
    past, start_s = Past(asked.furnaces), time.monotonic()
    for number in range(round(asked.seconds * asked.speed / _PIECE_S)):
        _send(producer, asked.prefix, past.piece(number))
        due_s = start_s + (number + 1) * _PIECE_S / asked.speed
        time.sleep(max(due_s - time.monotonic(), 0.0))
    producer.close()
    return 0


class Past:
    """What some furnaces' cameras and meters saw; frames repeat after a while, to be made fast."""

    def __init__(self, furnaces: int) -> None:
        frames = np.random.default_rng(1).integers(0, 256, (_POOL, 64, 64, 3), np.uint8)
        self._furnaces = furnace_ids(furnaces)
        self._encoder_id = default_encoder().encoder_id
        self._frames = default_encoder().encode(frames)

    def piece(self, number: int) -> list[InputRecord]:
        """Return the records of some seconds, by event time."""
        start_ns = ORIGIN_NS + number * _PIECE_S * NS_PER_S
        records = [record for name in self._furnaces for record in self._of(name, start_ns)]
        return sorted(records, key=lambda record: (record.timestamp_ms, record.topic.value))

    def _of(self, name: str, start_ns: int) -> Iterator[InputRecord]:
        end_ns = start_ns + _PIECE_S * NS_PER_S
        phase_ns = PUBLISHED_SPEC.phase_ns(name) % STRIDE_NS
        for event_ns in range(start_ns + (phase_ns - start_ns) % STRIDE_NS, end_ns, STRIDE_NS):
            yield self._frame(name, event_ns)
        for event_ns in range(start_ns, end_ns, 2 * PERIOD_NS):
            yield sample_record(name, event_ns, seq=(event_ns - ORIGIN_NS) // PERIOD_NS)

    def _frame(self, name: str, event_ns: int) -> InputRecord:
        seq = (event_ns - ORIGIN_NS) // STRIDE_NS
        chunk = EmbeddingChunk(
            identity(name, "camera", seq, event_ns),
            np.array([event_ns], np.int64),
            self._encoder_id,
            self._frames[seq % _POOL][np.newaxis],
        )
        headers = tuple(headers_for(SCHEMA))
        return InputRecord(
            Topic.EMBEDDINGS, name.encode(), encode_embedding(chunk), headers,
            timestamp_ms(event_ns),
        )  # fmt: skip


def _send(producer: KafkaProducer, prefix: str, records: Sequence[InputRecord]) -> None:
    for record in records:
        producer.send(
            record.topic.under(prefix),
            key=record.key,
            value=record.value,
            headers=list(record.headers),
            timestamp_ms=record.timestamp_ms,
        )
    producer.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
