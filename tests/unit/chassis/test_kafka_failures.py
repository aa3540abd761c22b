"""What a client does by itself ends nothing; what we are told does."""

import asyncio

import pytest
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.kafka.errors import kafka_failures


async def gives_up() -> None:
    """Do what aiokafka's consumer does: wait for a task of its own that it has cancelled."""
    fetching = asyncio.ensure_future(asyncio.sleep(60))
    await asyncio.sleep(0)
    fetching.cancel()
    await fetching


async def test_a_cancellation_that_nobody_asked_for_is_a_failure() -> None:
    said = pytest.raises(TransientError, match="Kafka, disconnecting: the client gave up")
    with said, kafka_failures("disconnecting"):
        await gives_up()


async def test_one_that_we_are_told_passes() -> None:
    async def works() -> None:
        with kafka_failures("reading"):
            await asyncio.sleep(60)

    working = asyncio.ensure_future(works())
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
