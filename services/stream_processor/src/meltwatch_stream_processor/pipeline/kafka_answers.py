"""Answers of a broker about offsets, taken only if they are whole and make sense."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from meltwatch_chassis.errors import TransientError

from meltwatch_stream_processor.ports import TopicPartition

Ask = Callable[[Iterable[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]


async def offsets_of(ask: Ask, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the offset of each partition.

    Raises
    ------
    TransientError
        If one is missing from the answer or is no offset: to be asked again.
    """
    wanted = list(partitions)
    found = await ask(wanted)
    for part in wanted:
        offset = found.get(part)
        if not isinstance(offset, int) or offset < 0:
            raise TransientError(
                f"Kafka offsets: expected one of {part.topic}/{part.partition}, got {offset!r}"
            )
    return {part: found[part] for part in wanted}
