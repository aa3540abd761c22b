"""Where reading of a partition starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from meltwatch_stream_processor.pipeline.retry import Retry
from meltwatch_stream_processor.ports import InputRange, Inputs, TopicPartition


@dataclass(frozen=True, slots=True)
class Start:
    """Where reading of a partition starts.

    Attributes
    ----------
    offset
        The committed offset, or the oldest one where retention has overtaken it.
    lost
        Number of offsets that retention took before they were read.
    """

    offset: int
    lost: int


async def start_offsets(
    inputs: Inputs,
    input_range: InputRange,
    partitions: Sequence[TopicPartition],
    retry: Retry,
) -> dict[TopicPartition, Start]:
    """Ask Kafka, until it answers, where reading starts."""
    committed = await retry.until_done(partial(inputs.committed, partitions), "committed offsets")
    oldest = await retry.until_done(
        partial(input_range.beginning_offsets, partitions), "beginning offsets"
    )
    return {part: _start(committed[part], oldest[part]) for part in partitions}


def _start(committed: int, oldest: int) -> Start:
    lost = max(oldest - committed, 0) if committed else 0
    return Start(max(committed, oldest), lost)
