"""A worker whose consumer passes over the first records of each partition.

``python -m tests.integration.stream_processor.forgetful`` is ``python -m
meltwatch_stream_processor`` but for that: Faust does it in a rebalance that takes its time, which
no test can arrange at will.
"""

from collections import Counter
from runpy import run_module
from typing import Final

from meltwatch_schemas.record import RawRecord
from meltwatch_stream_processor.pipeline.engine import Engine

from tests.integration.stream_processor.worker import SERVICE

PASSED_OVER: Final = 20
receive, came = Engine.receive, Counter[tuple[str, int]]()


def receive_later_ones(self: Engine, raw: RawRecord) -> None:
    """Take a record unless it is one of the first."""
    came[raw.topic, raw.partition] += 1
    if came[raw.topic, raw.partition] > PASSED_OVER:
        receive(self, raw)


if __name__ == "__main__":
    Engine.receive = receive_later_ones  # type: ignore[method-assign]
    run_module(SERVICE, run_name="__main__")
