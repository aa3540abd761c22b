"""The producers that a plant may use, with any codec of Kafka's protocol."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Final, Protocol

from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.support.waiting import until

_BATCHED_MS: Final = 100
CODECS: Final = ("gzip", "snappy", "lz4", "zstd")


class Sendable(Protocol):
    """A record under its full topic name."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> tuple[tuple[str, bytes | None], ...]: ...
    @property
    def timestamp_ms(self) -> int: ...


def kafka_python(address: str, codec: str, records: Iterable[Sendable]) -> None:
    """Send compressed batches with kafka-python."""
    with closing(
        KafkaProducer(bootstrap_servers=address, compression_type=codec, linger_ms=_BATCHED_MS)
    ) as producer:
        for record in records:
            producer.send(
                record.topic, record.value, record.key, list(record.headers),
                timestamp_ms=record.timestamp_ms,
            )  # fmt: skip
        producer.flush()


def aiokafka(address: str, codec: str, records: Iterable[Sendable]) -> None:
    """Send compressed batches with aiokafka."""

    async def send() -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=address, compression_type=codec, linger_ms=_BATCHED_MS
        ) as producer:
            sent = [
                await producer.send(
                    record.topic, record.value, record.key,
                    timestamp_ms=record.timestamp_ms, headers=list(record.headers),
                )
                for record in records
            ]  # fmt: skip
            await asyncio.gather(*sent)

    asyncio.run(send())


def transactional(address: str, name: str, records: Iterable[Sendable], *, commit: bool) -> None:
    """Send records in a transaction, which leaves a marker behind them; return once it is there."""
    records = [*records]
    with closing(KafkaProducer(bootstrap_servers=address, transactional_id=name)) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        for record in records:
            producer.send(
                record.topic, record.value, record.key, list(record.headers),
                timestamp_ms=record.timestamp_ms,
            )  # fmt: skip
        producer.flush()
        producer.commit_transaction() if commit else producer.abort_transaction()
    until_decided(address, {record.topic for record in records})


def until_decided(address: str, topics: Iterable[str]) -> None:
    """Wait until no record of these topics is of a transaction that has not ended.

    A broker writes the markers of a transaction after it has said that it is committed: who reads
    at once may read less.
    """
    names = [*topics]
    with (
        closing(KafkaConsumer(bootstrap_servers=address)) as every,
        closing(
            KafkaConsumer(bootstrap_servers=address, isolation_level="read_committed")
        ) as decided,
    ):
        parts = [TopicPartition(n, p) for n in names for p in every.partitions_for_topic(n) or ()]

        def ends() -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
            return decided.end_offsets(parts), every.end_offsets(parts)

        def agree() -> bool:
            first, second = ends()
            return first == second

        until(agree, ends)


def every_way() -> Iterator[tuple[str, Callable[[str, Iterable[Sendable]], None]]]:
    """Give each client with each codec, and a name for it."""
    for client in (kafka_python, aiokafka):
        for codec in CODECS:
            yield f"{client.__name__}-{codec}", _with(client, codec)


def _with(
    client: Callable[[str, str, Iterable[Sendable]], None], codec: str
) -> Callable[[str, Iterable[Sendable]], None]:
    return lambda address, records: client(address, codec, records)
