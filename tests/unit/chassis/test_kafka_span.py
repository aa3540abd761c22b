"""A broker that cannot tell where a time begins is asked for earlier ones; we look from there."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.structs import OffsetAndTimestamp
from meltwatch_chassis.kafka.span import SpanReader

TOPIC = "scores"
PART = TopicPartition(TOPIC, 0)
BEGINNING = 7
NOW_MS = 1_800_000_000_000


class Broker:
    """One partition; it fails where it would look into a record of its choice to find a time."""

    def __init__(self, times_ms: list[int], too_large: int | None = None) -> None:
        self._times_ms = times_ms
        self._too_large = too_large
        self._position = BEGINNING
        self.asked: list[int] = []
        self.read = 0

    def offsets_for_times(self, asked: Mapping[Any, int], timeout_ms: int) -> dict[Any, Any]:
        assert timeout_ms < 10_000, "as long as a question may take"
        self.asked.append(asked[PART])
        number = next((n for n, t in enumerate(self._times_ms) if t >= asked[PART]), None)
        if number is not None and number == self._too_large:
            raise KafkaTimeoutError
        return {PART: None if number is None else OffsetAndTimestamp(BEGINNING + number, 0, None)}

    def beginning_offsets(self, _: Any) -> dict[Any, int]:
        return {PART: BEGINNING}

    def end_offsets(self, _: Any) -> dict[Any, int]:
        return {PART: BEGINNING + len(self._times_ms)}

    def assign(self, parts: list[Any]) -> None:
        assert parts == [PART]

    def seek(self, _: Any, offset: int) -> None:
        self._position = offset

    def position(self, _: Any) -> int:
        return self._position

    def poll(self, _: int, max_records: int) -> dict[Any, list[Any]]:
        start = self._position
        times = self._times_ms[start - BEGINNING :][: min(max_records, 3)]
        self._position += len(times)
        self.read += len(times)
        return {PART: [_record(start + number, time) for number, time in enumerate(times)]}


def _record(offset: int, time_ms: int) -> Any:
    return SimpleNamespace(
        topic=TOPIC, partition=0, offset=offset, timestamp=time_ms,
        key=None, value=None, headers=(),
    )  # fmt: skip


def _reader(broker: Any) -> SpanReader:
    return SpanReader(broker)


@given(st.data())
def test_the_first_offset_that_is_not_earlier_is_found_whatever_the_broker_cannot_read(data):
    ages_ms = st.integers(0, 200_000_000) | st.sampled_from([0, 10_000, 1_000_000])
    times_ms = [NOW_MS - age for age in data.draw(st.lists(ages_ms, max_size=12))]
    wanted_ms = data.draw(st.sampled_from([*times_ms, NOW_MS + 1, 5, 0]))
    too_large = data.draw(st.none() | st.integers(0, max(len(times_ms) - 1, 0)))
    numbers = (n for n, time_ms in enumerate(times_ms) if time_ms >= wanted_ms)
    first = next(numbers, None)

    found = _reader(Broker(times_ms, too_large)).offset_of(TOPIC, 0, wanted_ms)

    assert found == (None if first is None else BEGINNING + first)


@pytest.mark.parametrize(
    ("too_large", "questions", "records"),
    [(None, 1, 0), (5, 2, 3), (0, 4, 2)],
    ids=["it can tell", "it can tell an earlier time", "it can tell none"],
)
def test_no_more_is_asked_and_read_than_need_be(too_large, questions, records):
    before = [] if too_large == 0 else [NOW_MS - 60_000] * 3 + [NOW_MS - 5_000] * 2
    broker = Broker([*before, NOW_MS, NOW_MS + 1], too_large)

    assert _reader(broker).offset_of(TOPIC, 0, NOW_MS) == BEGINNING + len(before)
    assert (len(broker.asked), broker.read) == (questions, records)


def test_a_question_is_not_put_twice():
    broker = Broker([5], too_large=0)

    assert _reader(broker).offset_of(TOPIC, 0, 3) == BEGINNING
    assert broker.asked == [3, 0]


def test_a_reader_begins_at_a_time_or_with_what_comes_next():
    times_ms = [NOW_MS - 1, NOW_MS]
    end = BEGINNING + len(times_ms)

    for time_ms, start in ((NOW_MS, end - 1), (NOW_MS + 1, end), (0, BEGINNING), (None, end)):
        assert _reader(Broker(times_ms, 0)).starts({PART: time_ms}) == {PART: start}
