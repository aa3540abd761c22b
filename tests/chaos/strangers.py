"""Records that were sent to do harm, for every topic that a service reads.

Each says in a header of its own what must become of it: which dead letter, or which answer. Those
that a service would have to believe (a forged alarm) are a campaign of their own.
"""

import random
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Final

from meltwatch_schemas.topics import Topic

from tests.chaos.load import MEMBERS
from tests.chaos.tape import CODES, MARK
from tests.support.hostile_alarms import NEW_HERE, hostile_alarm_inputs
from tests.support.hostile_wire import HostileRecord, hostile_records
from tests.support.input_records import ORIGIN_NS, InputRecord

A_PIECE: Final = 6
_COMPACTED: Final = (Topic.ALARM_POINTS, Topic.FURNACE_STATES)


def strangers(seed: int) -> Iterator[InputRecord]:
    """All of them in random order, over and over, each time under another furnace's name."""
    rng = random.Random(f"strangers {seed}")
    for furnace in cycle([member.name for member in MEMBERS]):
        inputs = hostile_records(furnace, ORIGIN_NS)
        others = hostile_alarm_inputs(furnace, time.time_ns())
        found = [each for each in (*inputs, *others) if _is_told(each)]
        rng.shuffle(found)
        yield from map(_marked, found)


def _is_told(hostile: HostileRecord) -> bool:
    """Tell whether its end is known, whichever release reads it, and whether Kafka takes it.

    A compacted topic wants a key.
    """
    if hostile.name in NEW_HERE:
        return False
    is_kept = hostile.topic not in _COMPACTED or hostile.key is not None
    return is_kept and bool(hostile.expected or hostile.answer)


def _marked(hostile: HostileRecord) -> InputRecord:
    """As it is, and what must become of it."""
    if hostile.expected:
        return sendable(hostile, MARK, hostile.expected)
    return sendable(hostile, CODES, hostile.answer or "")


def sendable(hostile: HostileRecord, name: str, expected: str) -> InputRecord:
    """A record with a header of ours; kafka-python sends no header without a value."""
    headers = [(key, value) for key, value in hostile.headers if value is not None]
    return InputRecord(
        hostile.topic,
        hostile.key,
        hostile.value,
        (*headers, (name, expected.encode())),
        time.time_ns() // 1_000_000,
    )
