"""Whatever batch a broker holds, both clients read on behind it, within bounds."""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest
from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from kafka.consumer import fetcher as kafka_python_fetcher
from meltwatch_chassis.kafka import aiokafka_batches, consumer
from meltwatch_chassis.kafka.any_batch import MOST_RECORDS
from meltwatch_chassis.kafka.unpacking import MOST_BYTES
from meltwatch_schemas.bounds import MAX_HEADERS
from meltwatch_schemas.unread import UnreadBatch

from tests.support.foreign_batches import (
    CODECS,
    FAR,
    MIB,
    batch_of,
    bomb,
    headed,
    many,
    packed,
    plain,
    records_of,
    spoilt,
    with_records,
)
from tests.support.memory import Peak

NAMES = [b"schema", b"\xff\xfe", b"", "größe".encode(), "größe".encode("latin-1")]
READ = ["schema", r"\xff\xfe", "", "größe", r"gr\xf6\xdfe"]
HONEST = plain([b"honest"])
PART = TopicPartition("topic", 0)
Client = Callable[[bytes, int], tuple[list[Any], int]]


@pytest.fixture(autouse=True, scope="module")
def _only_here() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (aiokafka_fetcher, kafka_python_fetcher):
            patch.setattr(module, "MemoryRecords", module.MemoryRecords)
        aiokafka_batches.accept_any()
        consumer.accept_any()
        yield


def by_aiokafka(answer: bytes, position: int) -> tuple[list[Any], int]:
    records = aiokafka_fetcher.MemoryRecords(answer)
    found = aiokafka_fetcher.PartitionRecords(PART, records, [], position, None, None, True, 1)
    return list(found), found.next_fetch_offset


def by_kafka_python(answer: bytes, position: int) -> tuple[list[Any], int]:
    records = kafka_python_fetcher.MemoryRecords(answer)
    found = kafka_python_fetcher.Fetcher.PartitionRecords(position, PART, records)
    return found.take(), found.next_fetch_offset


CLIENTS = [by_aiokafka, by_kafka_python]
both = pytest.mark.parametrize("client", CLIENTS)
each_codec = pytest.mark.parametrize("codec", CODECS)


def laid(batches: Iterable[bytes]) -> list[tuple[int, int, bytes]]:
    """Give each batch the offsets that a broker gives it: first, behind the last, bytes."""
    found, first = [], 0
    for batch in batches:
        following = first + struct.unpack("!i", batch[23:27])[0] + 1
        found.append((first, following, struct.pack("!q", first) + batch[8:]))
        first = following
    return found


def answers(client: Client, batches: Sequence[bytes], position: int = 0) -> Iterator[list[Any]]:
    """Read a partition to its end, as a client does: answer by answer, from where it stands."""
    partition = laid(batches)
    while position < partition[-1][1]:
        answer = b"".join(batch for _, following, batch in partition if following > position)
        records, following = client(answer, position)
        assert following > position
        assert all(position <= record.offset < following for record in records)
        position = following
        yield records


def read(client: Client, batches: Sequence[bytes], position: int = 0) -> list[Any]:
    return [record for records in answers(client, batches, position) for record in records]


@pytest.mark.parametrize("codec", [0, *CODECS.values()], ids=["none", *CODECS])
@both
def test_headers_of_any_name_are_read(client: Client, codec: int) -> None:
    found = read(client, [batch_of(NAMES, codec)] * 2)
    assert [record.headers[0][0] for record in found] == READ * 2
    assert {(record.key, record.value) for record in found} == {(b"key", b"v" * 100)}
    assert [record.offset for record in found] == list(range(10))


@each_codec
@both
def test_what_unpacks_to_too_much_is_passed_over_whole(client: Client, codec: str) -> None:
    batches = [HONEST, bomb(codec, 64 * MIB), HONEST]
    peak = Peak()

    found = read(client, batches)

    first, unread, last = found
    assert (first.value, last.value) == (b"honest", b"honest")
    assert (unread.key, unread.offset, list(unread.headers)) == (None, 1, [])
    assert unread.value == struct.pack("!q", 1) + batches[1][8:]
    assert isinstance(unread.value, UnreadBatch)
    assert (unread.value.reason, unread.value.first, unread.value.last) == ("too_large", 1, 1)
    assert f"{MOST_BYTES} bytes" in unread.value.detail
    assert peak.grown_mib() < 4 * MOST_BYTES / MIB


@both
def test_a_batch_of_too_many_records_is_passed_over_whole(client: Client) -> None:
    found = read(client, [HONEST, many(MOST_RECORDS + 1, "zstd"), HONEST])
    assert [record.offset for record in found] == [0, MOST_RECORDS + 1, MOST_RECORDS + 2]
    assert found[1].value.reason == "too_large"
    assert (found[1].value.first, found[1].value.last) == (1, MOST_RECORDS + 1)


@both
def test_reading_begins_in_the_midst_of_what_is_passed_over(client: Client) -> None:
    batches = [many(MOST_RECORDS + 1, "zstd"), HONEST]
    assert [record.offset for record in read(client, batches, 700)] == [
        MOST_RECORDS,
        MOST_RECORDS + 1,
    ]
    assert len(read(client, [many(1000, "zstd"), HONEST], 700)) == 301


@both
def test_of_too_many_headers_as_many_are_kept_as_refuse_it(client: Client) -> None:
    batches = [headed(MIB // 4, "zstd")] * 4
    peak = Peak()
    found = read(client, batches)
    assert [len(record.headers) for record in found] == [MAX_HEADERS + 1] * 4
    assert peak.grown_mib() < 40
    assert len(read(client, [headed(MAX_HEADERS, "gzip")])[0].headers) == MAX_HEADERS


@both
def test_many_batches_that_unpack_to_much_are_read_piece_by_piece(client: Client) -> None:
    value = bytes(MIB)
    batches = [packed(plain([value]), codec) for codec in CODECS for _ in range(10)]
    pieces = [[len(record.value) for record in records] for records in answers(client, batches)]
    assert sum(map(sum, pieces)) == len(batches) * MIB
    assert max(map(sum, pieces)) <= MOST_BYTES + MIB


@pytest.mark.parametrize("name", spoilt())
@both
def test_behind_what_cannot_be_read_reading_goes_on(client: Client, name: str) -> None:
    found = read(client, [HONEST, spoilt()[name], HONEST])

    assert (found[0].value, found[-1].value) == (b"honest", b"honest")
    assert [found[0].offset, found[-1].offset] == [0, 4]
    assert_all_told(found[1:-1], range(1, 4))


def assert_all_told(found: Sequence[Any], offsets: range) -> None:
    """Hold that every offset is read or stood for, once and in order."""
    told: list[int] = []
    for record in found:
        if isinstance(record.value, UnreadBatch):
            assert record.offset == record.value.last
            told += range(record.value.first, record.value.last + 1)
        else:
            told.append(record.offset)
    assert told == list(offsets)


@given(
    st.sampled_from([None, *CODECS]),
    st.lists(
        st.tuples(
            st.floats(0, 1, exclude_max=True),
            st.binary(min_size=1, max_size=1) | st.binary(max_size=10) | st.just(FAR),
        ),
        max_size=4,
    ),
    st.binary(max_size=12),
    st.floats(0, 1),
)
def test_no_bytes_stop_either_client(
    codec: str | None, changes: list[tuple[float, bytes]], tail: bytes, kept: float
) -> None:
    whole = plain([b"first", b"second" * 20, b"third"], [("schema", b"x"), ("", None)])
    records = bytearray(records_of(packed(whole, codec) if codec else whole))
    for place, part in changes:
        begin = int(place * len(records))
        records[begin : begin + 1] = part
    cut = len(records) if changes else int(len(records) * kept)
    batch = with_records(whole, bytes(records[:cut]) + tail, codec)
    for client in CLIENTS:
        found = read(client, [HONEST, batch, HONEST])
        assert (found[0].value, found[-1].value) == (b"honest", b"honest")
        assert_all_told(found[1:-1], range(1, 4))


@pytest.mark.parametrize("codec", [0, 1, 2, 3])
@both
def test_compressed_batches_without_headers_are_refused_unopened(
    client: Client, codec: int
) -> None:
    builder = LegacyRecordBatchBuilder(1, codec, 1_000_000)
    builder.append(0, 1000, b"key", b"value")
    found, following = client(bytes(builder.build()) + HONEST[:7] + b"\x01" + HONEST[8:], 0)
    assert following == 2
    assert found[-1].value == b"honest"
    if codec:
        assert (found[0].value.reason, found[0].offset) == ("unknown_schema", 0)
    else:
        assert (found[0].key, found[0].value) == (b"key", b"value")


@both
def test_a_wrong_sum_is_an_error_of_the_connection(client: Client) -> None:
    broken = bytearray(packed(plain([b"x" * 99]), "zstd"))
    broken[-1] ^= 1
    with pytest.raises(Exception, match=r"(?i)crc"):
        client(bytes(broken), 0)
