"""A broker that cannot tell where a time begins is asked for earlier ones, at last for all."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import UnknownError
from aiokafka.structs import OffsetAndTimestamp
from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_stream_processor.adapters.kafka_scores import _offsets_since

PART = TopicPartition("scores", 0)
NOW_MS = 1_800_000_000_000
BEGINNING, END = 7, 10_000


class Broker:
    """It finds one offset a second, and fails from some time on."""

    def __init__(self, fails_from_ms: int) -> None:
        self._fails_from_ms = fails_from_ms

    async def offsets_for_times(self, asked: dict[TopicPartition, int]) -> dict[Any, Any]:
        time_ms = asked[PART]
        if time_ms >= self._fails_from_ms:
            raise UnknownError
        behind_s = (NOW_MS - time_ms) // 1000
        found = OffsetAndTimestamp(END - 1 - behind_s, time_ms) if behind_s >= 0 else None
        return {PART: found}

    async def beginning_offsets(self, _: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {PART: BEGINNING}

    async def end_offsets(self, _: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {PART: END}


@pytest.mark.parametrize(
    ("since_ms", "fails_from_ms", "expected"),
    [
        (NOW_MS, 2**62, END - 1),
        (NOW_MS + 1000, 2**62, END),
        (NOW_MS, NOW_MS, END - 11),
        (NOW_MS, NOW_MS - 500_000, END - 1001),
        (NOW_MS, 0, BEGINNING),
        (5, 0, BEGINNING),
    ],
)
async def test_reading_begins_there_or_before(
    since_ms: int, fails_from_ms: int, expected: int
) -> None:
    broker: Any = Broker(fails_from_ms)
    found = await _offsets_since(AsyncReader(broker), *PART, since_ms)
    assert found == range(expected, END)
