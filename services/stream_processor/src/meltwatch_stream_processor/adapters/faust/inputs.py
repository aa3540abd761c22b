"""The aiokafka consumer beneath Faust behind the ``Inputs`` port: flow control and offsets.

Every private touch of Faust stands here. Faust's own ``pause_partitions`` drops records that a
batch already holds, and its acknowledgement counts messages that it skipped in a rebalance as
done; so partitions are paused and offsets committed on the consumer that Faust runs, in the
thread it runs in.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

import aiokafka
import faust
from aiokafka.errors import IllegalStateError, KafkaError
from meltwatch_chassis.errors import TransientError

from meltwatch_stream_processor.adapters.faust.arrivals import FaustArrivals
from meltwatch_stream_processor.ports import Committed, TopicPartition

_OURS: Final = "meltwatch"
"""First word of what we say beside a committed offset; the second is the topic's id."""
_COMMIT_LIMIT_S: Final = 5.0
_Result = TypeVar("_Result")


class FaustInputs:
    """Controls the consumer of a started Faust app.

    Parameters
    ----------
    app
        The app; its consumer exists once it was started.
    """

    def __init__(self, app: faust.App) -> None:
        self._app = app

    def arrivals(self) -> FaustArrivals:
        """Return a new account of what will come of one partition."""
        return FaustArrivals()

    def pause(self, partition: TopicPartition) -> None:
        """Fetch no more of a partition; what was already fetched still arrives."""
        self._in_thread(lambda consumer: consumer.pause(_named(partition)))

    def resume(self, partition: TopicPartition) -> None:
        """Fetch a paused partition again."""
        self._in_thread(lambda consumer: consumer.resume(_named(partition)))

    def rejoin(self) -> None:
        """Have the group share out the partitions anew, by the topics as they are now.

        The leader of the group shares out what its client knows of the topics, which is up to
        five minutes old; so each member that asks looks first.
        """
        consumer = self._consumer()

        async def look_and_rejoin() -> None:
            await consumer._client.force_metadata_update()  # noqa: SLF001 - see the module docstring
            consumer._coordinator.request_rejoin()  # noqa: SLF001 - see the module docstring

        rejoining = look_and_rejoin()
        try:
            asyncio.run_coroutine_threadsafe(rejoining, self._thread().thread_loop)
        except RuntimeError as error:
            rejoining.close()
            raise TransientError("Kafka consumer: its thread has crashed") from error

    async def committed(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, Committed]:
        """Return what is committed; a partition for which nothing is has no entry.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        wanted = [_named(partition) for partition in partitions]

        async def ask(consumer: aiokafka.AIOKafkaConsumer) -> Mapping[Any, Any]:
            coordinator = consumer._coordinator  # noqa: SLF001 - see the module docstring
            found: Mapping[Any, Any] = await coordinator.fetch_committed_offsets(wanted)
            return found

        answer = await self._ask(ask)
        return {
            TopicPartition(*part): _committed(commit.offset, commit.metadata)
            for part, commit in answer.items()
            if commit.offset >= 0
        }

    async def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        """Commit the next offset to be read per partition.

        Raises
        ------
        TransientError
            If the broker does not answer in time or the group has moved on.
        """
        named = {
            _named(partition): (commit.offset, f"{_OURS} {commit.topic_id or ''}".rstrip())
            for partition, commit in offsets.items()
        }
        try:
            # The client would try for ever to commit for a topic that was deleted.
            async with asyncio.timeout(_COMMIT_LIMIT_S):
                await self._ask(lambda consumer: consumer.commit(named))
        except TimeoutError as error:
            raise TransientError(
                f"Kafka consumer: expected a commit within {_COMMIT_LIMIT_S:.0f} s, got none"
            ) from error

    def _thread(self) -> Any:
        consumer: Any = self._app.consumer
        return consumer._thread  # noqa: SLF001 - see the module docstring

    def _consumer(self) -> aiokafka.AIOKafkaConsumer:
        consumer = self._thread()._consumer  # noqa: SLF001 - see the module docstring
        if consumer is None:
            raise TransientError("the consumer has not started yet")
        return consumer

    def _in_thread(self, act: Callable[[aiokafka.AIOKafkaConsumer], None]) -> None:
        consumer = self._consumer()

        def act_unless_revoked() -> None:
            try:
                act(consumer)
            except IllegalStateError:
                # A rebalance took the partition meanwhile; whoever has it now starts unpaused.
                return

        with suppress(RuntimeError):  # the thread has crashed: nothing is read any more
            self._thread().thread_loop.call_soon_threadsafe(act_unless_revoked)

    async def _ask(self, act: Callable[[aiokafka.AIOKafkaConsumer], Awaitable[_Result]]) -> _Result:
        consumer = self._consumer()

        async def asked() -> _Result:
            return await act(consumer)

        coroutine: Coroutine[Any, Any, _Result] = asked()
        try:
            asking = asyncio.run_coroutine_threadsafe(coroutine, self._thread().thread_loop)
        except RuntimeError as error:
            coroutine.close()
            raise TransientError("Kafka consumer: its thread has crashed") from error
        try:
            return await asyncio.wrap_future(asking)
        except asyncio.CancelledError as error:
            if (this := asyncio.current_task()) is None or this.cancelling():
                raise
            # The client's own: whoever asks again and again must not end with it.
            raise TransientError("Kafka consumer: it gave up") from error
        except (KafkaError, IllegalStateError) as error:
            raise TransientError(f"Kafka consumer: {type(error).__name__}: {error}") from error


def _named(partition: TopicPartition) -> aiokafka.TopicPartition:
    return aiokafka.TopicPartition(partition.topic, partition.partition)


def _committed(offset: int, metadata: str | None) -> Committed:
    """Return a commit; whoever moves an offset with Kafka's tools takes our words away."""
    words = (metadata or "").split()
    if not words or words[0] != _OURS:
        return Committed(offset, is_ours=False)
    return Committed(offset, topic_id=words[1] if len(words) > 1 else None)
