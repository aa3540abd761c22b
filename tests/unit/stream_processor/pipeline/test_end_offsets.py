import asyncio
from collections.abc import Iterable, Mapping
from functools import partial

from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.dependencies import Dependencies
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.metrics import Metrics
from meltwatch_stream_processor.pipeline.end_offsets import EndOffsets
from meltwatch_stream_processor.pipeline.retry import Retry
from meltwatch_stream_processor.ports import TopicPartition

A, B, C = (TopicPartition("t", number) for number in range(3))


def retry() -> Retry:
    return Retry(Dependencies(Metrics(), SystemClock()))


class SlowRange:
    """Takes a while; refuses the first calls."""

    def __init__(self, refusals: int = 0) -> None:
        self.calls: list[list[TopicPartition]] = []
        self.refusals = refusals

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        raise AssertionError(f"asked for the beginnings of {list(partitions)}, not for ends")

    async def end_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        asked = list(partitions)
        self.calls.append(asked)
        await asyncio.sleep(0.01)
        if len(self.calls) <= self.refusals:
            raise TransientError("no broker")
        return {part: 10 * len(self.calls) + part.partition for part in asked}


async def test_questions_that_come_during_a_call_share_the_next_one() -> None:
    broker = SlowRange()
    ends = EndOffsets(broker, retry())
    answers: dict[TopicPartition, int] = {}
    asking = asyncio.create_task(ends.run())
    ends.ask(A, partial(answers.__setitem__, A))
    await asyncio.sleep(0.005)
    ends.ask(B, partial(answers.__setitem__, B))
    ends.ask(C, partial(answers.__setitem__, C))
    await asyncio.sleep(0.05)
    asking.cancel()
    assert broker.calls == [[A], [B, C]]
    assert answers == {A: 10, B: 21, C: 22}


async def test_a_question_is_asked_until_it_is_answered() -> None:
    ends = EndOffsets(SlowRange(refusals=2), retry())
    answered = asyncio.get_running_loop().create_future()
    asking = asyncio.create_task(ends.run())
    ends.ask(A, answered.set_result)
    assert await asyncio.wait_for(answered, 5) == 30
    asking.cancel()
