"""What a client does by itself ends nothing; what we are told does."""

import asyncio

import pytest
from aiokafka.errors import (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
)
from meltwatch_chassis.errors import DependencyUnreachable, FatalError, TransientError
from meltwatch_chassis.kafka.errors import broker_expected, is_refusal, kafka_failures


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


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotLeaderForPartitionError(), TransientError),
        (KafkaTimeoutError(), TransientError),
        (ConnectionResetError(), TransientError),
        (MessageSizeTooLargeError(), FatalError),
        (TopicAuthorizationFailedError(), FatalError),
        (AssertionError("the client stumbles over a record"), FatalError),
    ],
)
def test_of_what_is_sent_some_will_never_be_taken(error: Exception, kind: type[Exception]) -> None:
    expected = pytest.raises(kind, match=r"Kafka, publishing to plant\.scores\.v1: ")
    with expected as told, kafka_failures("publishing to plant.scores.v1", sending=True):
        raise error
    assert is_refusal(told.value.__cause__) == isinstance(error, TopicAuthorizationFailedError)
    with pytest.raises(TransientError), kafka_failures("reading"):
        raise error
    with pytest.raises(DependencyUnreachable), broker_expected("connecting"):
        raise error
