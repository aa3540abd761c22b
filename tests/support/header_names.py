"""Records whose header names are bytes of any kind: a client in C may write them, ours cannot."""

from collections.abc import Sequence
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy


class Named(str):
    """The name of a header in bytes of our choice."""

    __slots__ = ("raw",)

    def __new__(cls, raw: bytes) -> Self:
        """Make it of bytes."""
        made = super().__new__(cls, "x")
        made.raw = raw
        return made

    def encode(self, *_: object) -> bytes:
        """Give the bytes."""
        return self.raw


def batch_of(names: Sequence[bytes], codec: int = 0) -> _DefaultRecordBatchBuilderPy:
    """Return a batch of records with one header each, named so."""
    builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, 0, 1_000_000)
    for number, name in enumerate(names):
        builder.append(number, 1000 + number, b"key", b"v" * 100, [(Named(name), b"1")])
    return builder


async def send_named(address: str, topics: Sequence[str], names: Sequence[bytes]) -> None:
    """Send such a batch to the first partition of each topic."""
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for topic in topics:
            batch: BatchBuilder = producer.create_batch()
            batch._builder = batch_of(names)
            batch._relative_offset = len(names)
            await (await producer.send_batch(batch, topic, partition=0))
