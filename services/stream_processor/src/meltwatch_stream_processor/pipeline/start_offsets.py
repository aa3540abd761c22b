"""Where reading of a partition starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from meltwatch_stream_processor.pipeline.kafka_answers import offsets_of
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
    end
        Where the partition ends now.
    void
        The committed offset where it lies behind the end: of a topic that was there before this
        one, or of records that the broker has lost. Then reading starts at the oldest.
    """

    offset: int
    lost: int
    end: int
    void: int | None = None


async def start_offsets(
    inputs: Inputs,
    input_range: InputRange,
    partitions: Sequence[TopicPartition],
    retry: Retry,
) -> dict[TopicPartition, Start]:
    """Ask Kafka, until it answers, where reading starts."""
    asked = [
        (inputs.committed, "committed offsets"),
        (input_range.beginning_offsets, "beginning offsets"),
        # Asked last, so that whatever is committed lies before it.
        (input_range.end_offsets, "end offsets"),
    ]
    committed, oldest, ends = [
        await retry.until_done(partial(offsets_of, ask, partitions), what) for ask, what in asked
    ]
    return {part: _start(committed[part], oldest[part], ends[part]) for part in partitions}


def _start(committed: int, oldest: int, end: int) -> Start:
    if committed > end:
        return Start(oldest, 0, end, void=committed)
    lost = max(oldest - committed, 0) if committed else 0
    return Start(max(committed, oldest), lost, end)
