"""A client that stops or gives up by itself harms nobody who asked it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.kafka import async_span
from meltwatch_chassis.kafka.async_span import AsyncSpanReader
from meltwatch_stream_processor.adapters.faust.inputs import FaustInputs


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
    monkeypatch.setattr(async_span, "AIOKafkaConsumer", StopsBadly)
    async with AsyncSpanReader.connected({}, [("scores", 0)]) as reader:
        pass
    assert reader._consumer.is_stopped


async def test_a_consumer_that_gives_up_by_itself_is_asked_again() -> None:
    async def commit(_: object) -> None:
        raise asyncio.CancelledError

    thread = SimpleNamespace(
        _consumer=SimpleNamespace(commit=commit), thread_loop=asyncio.get_running_loop()
    )
    app: Any = SimpleNamespace(consumer=SimpleNamespace(_thread=thread))
    with pytest.raises(TransientError, match="it gave up"):
        await FaustInputs(app).commit({})
