"""A consumer beneath Faust that gives up by itself ends nobody who asked it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from meltwatch_chassis.errors import TransientError
from meltwatch_stream_processor.adapters.faust.inputs import FaustInputs


async def test_a_consumer_that_gives_up_by_itself_is_asked_again() -> None:
    async def commit(_: object) -> None:
        raise asyncio.CancelledError

    thread = SimpleNamespace(
        _consumer=SimpleNamespace(commit=commit), thread_loop=asyncio.get_running_loop()
    )
    app: Any = SimpleNamespace(consumer=SimpleNamespace(_thread=thread))
    with pytest.raises(TransientError, match="it gave up"):
        await FaustInputs(app).commit({})
