"""Questions for the ends of input partitions: one call to the broker answers all that wait."""

import asyncio
from collections.abc import Callable
from functools import partial

from meltwatch_stream_processor.pipeline.kafka_answers import offsets_of
from meltwatch_stream_processor.pipeline.retry import Retry
from meltwatch_stream_processor.ports import InputRange, TopicPartition

Answer = Callable[[int], None]


class EndOffsets:
    """Collects questions while a call is under way and asks them together in the next one.

    Parameters
    ----------
    input_range
        Who is asked; every call starts after the questions that it answers.
    retry
        Repeats a call that failed.
    """

    def __init__(self, input_range: InputRange, retry: Retry) -> None:
        self._range = input_range
        self._retry = retry
        self._waiting: dict[TopicPartition, Answer] = {}
        self._asked = asyncio.Event()

    def ask(self, partition: TopicPartition, answer: Answer) -> None:
        """Have ``answer`` called with an end offset that was asked for after this moment."""
        self._waiting[partition] = answer
        self._asked.set()

    async def run(self) -> None:
        """Ask and answer until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            waiting, self._waiting = self._waiting, {}
            ask = partial(offsets_of, self._range.end_offsets, list(waiting))
            ends = await self._retry.until_done(ask, "end offsets")
            for partition, answer in waiting.items():
                answer(ends[partition])
