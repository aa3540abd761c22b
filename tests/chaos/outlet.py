"""Sends records of any kind to Kafka, compressed in turn by every codec."""

import itertools
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Final, Self

from kafka import KafkaProducer
from kafka.serializer import Serializer

from tests.integration.stream_processor.worker import PROMPT
from tests.support.input_records import InputRecord
from tests.support.standard_producers import CODECS

PATIENCE_MS: Final = 300_000
_NULL: Final = b"\0null"
"""Stands for no key until the client has checked that there is a key or a value."""


class Outlet:
    """Producers that take turns, one a codec.

    Parameters
    ----------
    kafka
        Bootstrap servers.
    prefix
        Of the topics.
    """

    def __init__(self, kafka: str, prefix: str) -> None:
        self._prefix = prefix
        self._open = ExitStack()
        producers = [
            KafkaProducer(
                bootstrap_servers=kafka.split(","),
                compression_type=codec,
                delivery_timeout_ms=PATIENCE_MS,
                key_serializer=_OrNull(),
                **PROMPT,
            )
            for codec in (None, *CODECS)
        ]
        for producer in producers:
            self._open.enter_context(closing(producer))
        self._turns = itertools.cycle(producers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def send(self, records: Sequence[InputRecord]) -> None:
        """Send some with one of them; return when Kafka has them all, so that the order stays."""
        producer = next(self._turns)
        futures = [
            producer.send(
                record.topic.under(self._prefix),
                key=_NULL if record.key is None else record.key,
                value=record.value,
                headers=list(record.headers),
                timestamp_ms=record.timestamp_ms,
            )
            for record in records
        ]
        for future in futures:
            future.get(PATIENCE_MS / 1000)


class _OrNull(Serializer):
    def serialize(self, topic: str, headers: list[tuple[str, bytes]], data: bytes) -> bytes | None:
        return None if data == _NULL else data
