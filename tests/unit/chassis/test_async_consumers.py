"""How a client stops harms nobody who asked it."""

import asyncio

import pytest
from meltwatch_chassis.kafka import async_consumers
from meltwatch_chassis.kafka.async_consumers import AsyncReader


class StopsBadly:
    """A consumer whose broker is away when it stops."""

    outcome: type[BaseException] = asyncio.CancelledError

    def __init__(self, **_: object) -> None:
        self.is_stopped = False

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        await asyncio.sleep(0)
        self.is_stopped = True
        raise self.outcome


@pytest.mark.parametrize("outcome", [asyncio.CancelledError, OSError])
async def test_how_a_reader_stops_is_not_how_the_reading_went(
    monkeypatch: pytest.MonkeyPatch, outcome: type[BaseException]
) -> None:
    monkeypatch.setattr(StopsBadly, "outcome", outcome)
    monkeypatch.setattr(async_consumers, "AIOKafkaConsumer", StopsBadly)
    async with AsyncReader.connected({}) as reader:
        pass
    assert reader._consumer.is_stopped
