"""Records that the client cannot read are passed over, and no other one is lost by it."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_alarm_manager.adapters.kafka_reading import read

PLACES = [TopicPartition("t", 0), TopicPartition("t", 1), TopicPartition("u", 0)]
LOGS = st.lists(st.lists(st.booleans(), max_size=6), min_size=3, max_size=3)


class Consumer:
    """Does as aiokafka's: a poll that fails has taken what it took of other partitions."""

    def __init__(self, logs: list[list[bool]]) -> None:
        self._logs = dict(zip(PLACES, logs, strict=True))
        self._positions = dict.fromkeys(PLACES, 0)

    def assignment(self) -> set[TopicPartition]:
        return set(PLACES)

    async def position(self, place: TopicPartition) -> int:
        return self._positions[place]

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._positions[place] = offset

    async def getmany(self, *places: TopicPartition, timeout_ms: int, max_records: int) -> Any:
        taken = {}
        for place in places or PLACES:
            begin = self._positions[place]
            some = list(enumerate(self._logs[place]))[begin : begin + max_records]
            if not all(is_readable for _, is_readable in some):
                raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
            taken[place] = [_record(place, offset) for offset, _ in some]
            self._positions[place] += len(some)
        return taken


def _record(place: TopicPartition, offset: int) -> SimpleNamespace:
    return SimpleNamespace(
        topic=place.topic, partition=place.partition, offset=offset,
        timestamp=1, key=b"k", value=b"v", headers=(),
    )  # fmt: skip


@given(LOGS)
async def test_each_record_comes_once_in_order_and_unreadable_ones_bare(logs) -> None:
    consumer, found = Consumer(logs), []
    for _ in range(20):
        found += await read(consumer, 0.0)
    for place, log in zip(PLACES, logs, strict=True):
        mine = [r for r in found if (r.topic, r.partition) == (place.topic, place.partition)]
        assert [(r.offset, r.value is not None) for r in mine] == list(enumerate(log))


async def test_a_broker_that_is_away_is_none_of_this() -> None:
    consumer = Consumer([[True]] * 3)

    async def away(*_: object, **__: object) -> None:
        raise KafkaConnectionError

    consumer.getmany = away  # type: ignore[method-assign]
    with pytest.raises(KafkaConnectionError):
        await read(consumer, 0.0)
