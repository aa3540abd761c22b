"""The scripted load: what five furnaces send, a pure function of seed and event time.

Time is cut into cycles of 50 s. Two furnaces are always there, one of them without a camera; one
comes for a cycle and stays away for three, which retires it; one has no meter and takes a cycle
off; one loses first its camera and then its meter. The steady ones repeat records, send some late,
and have an intruder who sends under their name.

The numbers are chosen so that nothing hangs on the milliseconds between two topics: absences are
1, 2 or 3 cycles (retirement takes 125 s), what is late is so by more than 4 s.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC

from tests.support.input_records import (
    ORIGIN_NS,
    PERIOD_NS,
    STRIDE_NS,
    InputRecord,
    frame_record,
    sample_record,
)
from tests.support.murmur2 import partition_of

PARTITIONS: Final = 2
CYCLE_NS: Final = 50 * NS_PER_S
CROWD: Final = 20
WARM_UP_CYCLES: Final = 2
BOTH: Final = frozenset(Modality)
VIDEO: Final = frozenset({Modality.VIDEO})
CURRENT: Final = frozenset({Modality.CURRENT})
NOTHING: Final[frozenset[Modality]] = frozenset()
_TRAVEL_NS: Final = 50 * NS_PER_MS


@dataclass(frozen=True)
class Member:
    """A furnace of the load.

    Attributes
    ----------
    name
        Furnace id.
    habit
        What it sends, cycle by cycle, over and over.
    restless
        Whether it repeats records, sends some late, and has an intruder.
    """

    name: str
    habit: tuple[frozenset[Modality], ...]
    restless: bool = False

    def sends(self, cycle: int) -> frozenset[Modality]:
        return self.habit[cycle % len(self.habit)]


def _named(stem: str, partition: int) -> str:
    """A furnace id that Kafka puts into a partition."""
    names = (f"chaos/{stem}/F{number}" for number in range(1000))
    return next(name for name in names if partition_of(name.encode(), PARTITIONS) == partition)


MEMBERS: Final = (
    Member(_named("steady", 0), (BOTH,), restless=True),
    Member(_named("blind", 1), (CURRENT,), restless=True),
    Member(_named("visitor", 0), (BOTH, NOTHING, NOTHING, NOTHING)),
    Member(_named("deaf", 0), (VIDEO, NOTHING)),
    Member(_named("moody", 1), (BOTH, CURRENT, NOTHING)),
)
"""In each partition one is always there; a short absence, a long one and a silent modality."""


def _crowd() -> tuple[Member, ...]:
    """Twenty furnaces in one partition, whose video begins when their look-back is full."""
    names = (f"chaos/crowd/F{number}" for number in range(1000))
    fitting = (name for name in names if partition_of(name.encode(), PARTITIONS) == 0)
    crowd = tuple(islice(fitting, CROWD))
    habit = (CURRENT,) * WARM_UP_CYCLES + (BOTH,) * 997
    return (*(Member(name, habit) for name in crowd), Member(_named("lonely", 1), (CURRENT,)))


LOADS: Final = {"mixed": MEMBERS, "crowd": _crowd(), "nobody": ()}
"""By name; with ``nobody`` others send the furnaces' part, and strangers and operators mix in."""


def cycle_records(load: str, seed: int, cycle: int) -> list[tuple[int, InputRecord]]:
    """What is sent within a cycle, in the order of sending, and at which event time each."""
    sent = [
        item
        for member in LOADS[load]
        for item in _of_member(member, cycle, random.Random(f"{seed}/{cycle}/{member.name}"))
    ]
    ordered = sorted(sent, key=lambda item: item[:2])
    return [(at_ns, record) for at_ns, _, record in ordered]


def cycle_end_ns(cycle: int) -> int:
    """The event time at which a cycle ends."""
    return ORIGIN_NS + (cycle + 1) * CYCLE_NS


Sent = tuple[int, str, InputRecord]
"""Event time at which a record is sent, its topic, the record."""


def _of_member(member: Member, cycle: int, rng: random.Random) -> Iterator[Sent]:
    for modality in sorted(member.sends(cycle)):
        make = _frames if modality is Modality.VIDEO else _samples
        for sent_ns, record in make(member.name, cycle):
            if member.restless:
                yield from _restlessly(member.name, cycle, (sent_ns, record), rng)
            else:
                yield sent_ns, record.topic.value, record


def _restlessly(
    name: str, cycle: int, sent: tuple[int, InputRecord], rng: random.Random
) -> Iterator[Sent]:
    """A record as a plant with a bad network delivers it."""
    sent_ns, record = sent
    topic, chance = record.topic.value, rng.random()
    is_frame = topic == "embeddings"
    latest_ns = cycle_end_ns(cycle) - 2 * NS_PER_S
    if chance < 0.03:
        yield sent_ns, topic, record
        yield sent_ns + 1, topic, record
    elif chance < 0.06:
        delay_ns = round(rng.uniform(4.6, 6.5 if is_frame else 40.0) * NS_PER_S)
        is_late = sent_ns + delay_ns < latest_ns
        yield sent_ns + delay_ns * is_late, topic, record
    elif chance < 0.08:
        yield sent_ns, topic, record
        make = frame_record if is_frame else sample_record
        yield sent_ns + 1, topic, make(name, sent_ns + 7 * NS_PER_MS, source_id="intruder")
    else:
        yield sent_ns, topic, record


def _frames(name: str, cycle: int) -> Iterator[tuple[int, InputRecord]]:
    start_ns, end_ns = cycle_end_ns(cycle - 1), cycle_end_ns(cycle)
    phase_ns = PUBLISHED_SPEC.phase_ns(name) % STRIDE_NS
    first_ns = start_ns + (phase_ns - start_ns) % STRIDE_NS
    for event_ns in range(first_ns, end_ns, STRIDE_NS):
        seq = (event_ns - ORIGIN_NS) // STRIDE_NS
        yield event_ns, frame_record(name, event_ns, seq=seq, sent_ns=event_ns + _TRAVEL_NS)


def _samples(name: str, cycle: int) -> Iterator[tuple[int, InputRecord]]:
    start_ns, end_ns = cycle_end_ns(cycle - 1), cycle_end_ns(cycle)
    for event_ns in range(start_ns, end_ns, 2 * PERIOD_NS):
        last_ns = event_ns + PERIOD_NS
        seq = (event_ns - ORIGIN_NS) // PERIOD_NS
        yield last_ns, sample_record(name, event_ns, seq=seq, sent_ns=last_ns + _TRAVEL_NS)
