"""Batches as a stranger may write them: a client in C, or nobody's, with bytes of its choice."""

import asyncio
import functools
import gzip
import struct
from collections.abc import Iterable, Sequence
from typing import Final, Self

import cramjam
from aiokafka import AIOKafkaProducer
from aiokafka.codec import lz4_encode, snappy_encode, zstd_encode
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy as Builder
from aiokafka.record.util import calc_crc32c, encode_varint

CODECS: Final = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
MIB: Final = 1024 * 1024
BOMBS: Final = {"gzip": 512 * MIB, "snappy": 16 * MIB, "lz4": 200 * MIB, "zstd": 1024 * MIB}
"""What a codec packs into less than 1 MiB."""
_HEAD: Final = 61
_SUM: Final = slice(17, 21)
_CODEC: Final = 22


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


def batch_of(names: Sequence[bytes], codec: int = 0) -> bytes:
    """Return a batch of records with one header each, named so."""
    builder = Builder(2, codec, 0, -1, -1, 0, 1_000_000)
    for number, name in enumerate(names):
        builder.append(number, 1000 + number, b"key", b"v" * 100, [(Named(name), b"1")])
    return bytes(builder.build())


def plain(values: Iterable[bytes], headers: Sequence[tuple[str, bytes | None]] = ()) -> bytes:
    """Return a batch of values without a codec."""
    builder = Builder(2, 0, 0, -1, -1, 0, 2**31)
    for number, value in enumerate(values):
        builder.append(number, 1000 + number, b"key", value, list(headers))
    return bytes(builder.build())


def packed(batch: bytes, codec: str, *, xerial: bool = True) -> bytes:
    """Return a batch without a codec in one."""
    return with_records(batch, _pack(batch[_HEAD:], codec, xerial=xerial), codec)


def with_records(batch: bytes, records: bytes, codec: str | None = None) -> bytes:
    """Return a batch with other bytes in place of its records, and a true sum."""
    made = bytearray(batch[:_HEAD]) + records
    made[8:12] = struct.pack("!i", len(made) - 12)
    made[_CODEC] = made[_CODEC] & ~7 | {None: 0, "codec 7": 7, **CODECS}[codec]
    made[_SUM] = struct.pack("!I", calc_crc32c(bytes(made[21:])))
    return bytes(made)


def records_of(batch: bytes) -> bytes:
    """Return the records of a batch as they stand in it."""
    return batch[_HEAD:]


@functools.cache
def bomb(codec: str, size: int | None = None, *, xerial: bool = True) -> bytes:
    """Return a batch of one record of zeros: as many as fit the 1 MiB of a topic, or a size."""
    size = size or BOMBS[codec]
    head, tail = _around(size)
    records = _pack_zeros(head, size, tail, codec, xerial=xerial)
    return with_records(plain([b""]), records, codec)


def many(count: int, codec: str) -> bytes:
    """Return a batch of so many empty records."""
    batch = bytearray(plain([b""]))
    batch[23:27] = struct.pack("!i", count - 1)
    batch[57:61] = struct.pack("!i", count)
    parts = bytearray()
    for number in range(count):
        body = bytearray(b"\x00\x00")
        encode_varint(number, body.append)
        body += b"\x01\x01\x00"
        encode_varint(len(body), parts.append)
        parts += body
    return packed(with_records(bytes(batch), bytes(parts)), codec)


def headed(count: int, codec: str) -> bytes:
    """Return a batch of one record with so many empty headers, which no client of ours can make."""
    body = bytearray(b"\x00\x00\x00\x01\x01")
    encode_varint(count, body.append)
    body += b"\x00\x01" * count
    record = bytearray()
    encode_varint(len(body), record.append)
    return packed(with_records(plain([b""]), bytes(record + body)), codec)


FAR = b"\x80\x80\x80\x80\x80\x80\x01"
"""The length 2^41 as a record holds it."""


def spoilt() -> dict[str, bytes]:
    """Give batches of three records each; a broker in Java takes most of them."""
    whole = plain([b"a" * 50, b"b" * 50, b"c" * 50])
    records = records_of(whole)
    with_gzip = records_of(packed(whole, "gzip"))
    counted = bytearray(whole)
    counted[57:61] = struct.pack("!i", 2)
    return {
        "behind the records": with_records(whole, records + b"x" * 9),
        "behind gzip": with_records(whole, with_gzip + b"garbage", "gzip"),
        "behind lz4": with_records(whole, records_of(packed(whole, "lz4")) + b"garbage", "lz4"),
        "two of gzip": with_records(whole, with_gzip * 2, "gzip"),
        "cut short": with_records(whole, records[:-7]),
        "cut gzip": with_records(whole, with_gzip[:-9], "gzip"),
        "no codec in it": with_records(whole, records, "snappy"),
        "attributes": with_records(whole, records.replace(b"\x00", b"\xff", 1)),
        "length": with_records(whole, b"\x02" + records[1:]),
        "negative length": with_records(whole, b"\x01" + records[1:]),
        "offset far ahead": with_records(whole, records.replace(b"\x02\x02", b"\x02\x7e", 1)),
        "offset again": with_records(whole, records.replace(b"\x04\x04", b"\x04\x00", 1)),
        "count": with_records(bytes(counted), records),
        "nothing": with_records(whole, b""),
        "key far behind": with_records(whole, b"\x7e\x00\x00\x00" + FAR),
        "value far behind": with_records(whole, b"\x7e\x00\x00\x00\x01" + FAR),
        "header far behind": with_records(whole, b"\x7e\x00\x00\x00\x01\x01\x02" + FAR),
        "header's value far behind": with_records(whole, b"\x7e\x00\x00\x00\x01\x01\x02\x00" + FAR),
        "codec 7": with_records(whole, records, "codec 7"),
    }


def taken_by_brokers() -> list[bytes]:
    """Give what a real broker takes and what no reader of ours may unpack, or can read."""
    odd = ("behind gzip", "behind lz4", "attributes", "offset far ahead", "offset again")
    of_batches = spoilt()
    return [
        *map(bomb, CODECS),
        bomb("snappy", xerial=False),
        *(of_batches[name] for name in odd),
    ]


async def send_batches(address: str, topics: Sequence[str], batches: Iterable[bytes]) -> None:
    """Send batches as they are to the first partition of each topic, one after the other."""
    async with AIOKafkaProducer(bootstrap_servers=address, max_request_size=9 * MIB) as producer:
        for topic in topics:
            for content in batches:
                await (await producer.send_batch(Ready(content), topic, partition=0))


def send_all(address: str, topics: Sequence[str], batches: Iterable[bytes]) -> None:
    """Send batches as they are to the first partition of each topic."""
    asyncio.run(send_batches(address, topics, batches))


class Ready(BatchBuilder):
    """A batch that is built already."""

    def __init__(self, content: bytes) -> None:
        super().__init__(MIB, 0)
        self._relative_offset = int.from_bytes(content[57:61], "big")
        self._closed = True
        self._buffer = bytearray(content)


def _around(size: int) -> tuple[bytes, bytes]:
    """Return what stands before and behind the value of one record."""
    body = bytearray(b"\x00\x00\x00\x06key")
    encode_varint(size, body.append)
    head = bytearray()
    encode_varint(len(body) + size + 1, head.append)
    return bytes(head + body), b"\x00"


def _pack(data: bytes, codec: str, *, xerial: bool) -> bytes:
    if codec == "snappy":
        return snappy_encode(data, xerial_compatible=xerial)
    return {"gzip": gzip.compress, "lz4": lz4_encode, "zstd": zstd_encode}[codec](data)


def _pack_zeros(head: bytes, size: int, tail: bytes, codec: str, *, xerial: bool) -> bytes:
    if codec == "snappy":
        return _pack(head + bytes(size) + tail, codec, xerial=xerial)
    # Kafka takes independent blocks alone.
    form = {"block_linked": False} if codec == "lz4" else {}
    compressor = getattr(cramjam, codec).Compressor(**form)
    compressor.compress(head)
    for at in range(0, size, MIB):
        compressor.compress(bytes(min(MIB, size - at)))
    compressor.compress(tail)
    return bytes(compressor.finish())
