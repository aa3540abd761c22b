"""A reader that stops badly harms nobody who read."""

import asyncio

import pytest
from aiokafka import TopicPartition
from meltwatch_stream_processor.adapters import kafka_span


class StopsBadly:
    """A consumer whose broker is away when it stops."""

    outcome: type[BaseException] = asyncio.CancelledError

    def __init__(self, **_: object) -> None:
        self.is_stopped = False

    async def start(self) -> None:
        """Connect."""

    def assign(self, _: object) -> None:
        """Read something."""

    async def stop(self) -> None:
        await asyncio.sleep(0)
        self.is_stopped = True
        raise self.outcome


@pytest.mark.parametrize("outcome", [asyncio.CancelledError, OSError])
async def test_how_a_reader_stops_is_not_how_the_reading_went(
    monkeypatch: pytest.MonkeyPatch, outcome: type[BaseException]
) -> None:
    monkeypatch.setattr(StopsBadly, "outcome", outcome)
    monkeypatch.setattr(kafka_span, "AIOKafkaConsumer", StopsBadly)
    async with kafka_span.reader({}, TopicPartition("scores", 0)) as consumer:
        pass
    assert consumer.is_stopped
