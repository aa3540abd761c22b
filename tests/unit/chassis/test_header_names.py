"""A header whose name is no UTF-8 is read like any other, by both clients."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from kafka.record import memory_records
from kafka.record.memory_records import MemoryRecords
from meltwatch_chassis import header_names, header_names_aio

from tests.support.header_names import batch_of

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


NAMES = [b"schema", b"\xff\xfe", b"", "größe".encode(), "größe".encode("latin-1")]
READ = ["schema", r"\xff\xfe", "", "größe", r"gr\xf6\xdfe"]


@pytest.fixture(autouse=True)
def _only_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_records, "DefaultRecordBatch", memory_records.DefaultRecordBatch)
    monkeypatch.setattr(fetcher, "MemoryRecords", fetcher.MemoryRecords)
    header_names.accept_any()
    header_names_aio.accept_any()


def by_aiokafka(content: bytes) -> Iterator[Any]:
    records = fetcher.MemoryRecords(content)
    while records.has_next():
        found = records.next_batch()
        assert not found.is_control_batch
        assert found.validate_crc()
        yield from found


def by_kafka_python(content: bytes) -> Iterator[Any]:
    for found in MemoryRecords(content):
        yield from found


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
@pytest.mark.parametrize("read", [by_aiokafka, by_kafka_python])
def test_every_record_of_the_batches_is_read(
    read: Callable[[bytes], Iterator[Any]], codec: int
) -> None:
    found = list(read(bytes(batch_of(NAMES, codec).build()) * 2))
    assert [record.headers[0][0] for record in found] == READ * 2
    assert {(record.key, record.value) for record in found} == {(b"key", b"v" * 100)}
    assert [record.offset for record in found] == [0, 1, 2, 3, 4] * 2
