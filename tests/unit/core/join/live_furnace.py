"""One furnace at the published geometry, as its records come and as the reader takes them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.window import AlignedWindow, Outcome

from tests.support.oracle import Record, Step
from tests.support.rule_numbers import CURRENT, VIDEO
from tests.unit.core.join.sequences import (
    ENCODER,
    PUBLISHED,
    Arrival,
    Said,
    at_once,
    join,
    numbered,
    read_at,
    rules_of,
    said,
    silence_after,
    take,
)

S = 1_000_000_000
FURNACE = "site/area/FMF-01"
ORIGIN = PUBLISHED.first_end_after(FURNACE, 1_760_000_000 * S)
"""A window's end; instants are told in seconds from here."""
Clock = Callable[[float], float]


def right(second: float) -> float:
    """A clock that shows what it is."""
    return second


def at(second: float) -> int:
    return ORIGIN + round(second * S)


def frames(start: float, end: float, clock: Clock = right) -> list[Arrival]:
    """A camera's frames, one a slot, each sent when it is taken and stamped by its clock."""
    stride = PUBLISHED.stride / S
    taken = [start + index * stride for index in range(1 + int((end - start) / stride))]
    return [_arrival(VIDEO, second, (clock(second),), index) for index, second in enumerate(taken)]


def samples(start: float, end: float, clock: Clock = right) -> list[Arrival]:
    """A meter's chunks of two samples a second, each sent with its second one."""
    seconds = [start + index for index in range(int(end - start))]
    return [
        _arrival(CURRENT, second + 0.5, (clock(second + 0.5) - 0.5, clock(second + 0.5)), 2 * index)
        for index, second in enumerate(seconds)
    ]


def _arrival(modality: str, second: float, seconds: Sequence[float], seq: int) -> Arrival:
    times = tuple(at(each) for each in seconds)
    if modality == VIDEO:
        values: tuple[object, ...] = (100.0 + seq % 1000,)
    else:
        values = tuple(tuple(1e3 + (seq + index) % 999 + phase for phase in range(3))
                       for index in range(2))  # fmt: skip
    return Arrival(
        at(second), Record(modality, 0, FURNACE, modality, times, values, at(second), seq=seq)
    )


def delayed(arrivals: Iterable[Arrival], delay: Callable[[float], float]) -> list[Arrival]:
    """The same, each so many seconds later, as the second says in which it was sent."""
    return [Arrival(a.at + round(delay((a.at - ORIGIN) / S) * S), a.record) for a in arrivals]


@dataclass(frozen=True)
class Closed:
    """A window and the second in which it closed."""

    window: AlignedWindow
    second: float

    @property
    def end(self) -> float:
        return (self.window.window_end_ns - ORIGIN) / S

    @property
    def delay(self) -> float:
        return self.second - self.end


@dataclass(frozen=True)
class Lived:
    """What live reading led to.

    ``late`` has the seconds in which late records came.
    """

    closed: list[Closed]
    late: list[float]

    @property
    def said(self) -> list[Said]:
        return [said(each.window) for each in self.closed]


def lived(*streams: list[Arrival], retired: bool = True) -> Lived:
    """Read what comes as it comes, with a look at the clock every second."""
    arrivals = sorted((a for stream in streams for a in stream), key=lambda a: a.at)
    records = numbered(arrival.record for arrival in arrivals)
    steps, now = list[Step](), arrivals[0].at
    for arrival, record in zip(arrivals, records, strict=True):
        while now + S <= arrival.at:
            now += S
            steps.append(read_at(now))
        steps.append(Step(arrival.at, read_at(now).read_as_of, record))
    steps += [silence_after(steps, PUBLISHED)] * retired
    joiner = PartitionJoiner(7, ENCODER, rules_of(PUBLISHED))
    taken = [(step, take(joiner, step)) for step in steps]
    return Lived(
        [Closed(w, (step.now - ORIGIN) / S) for step, outcome in taken for w in outcome.windows],
        [(step.now - ORIGIN) / S for step, outcome in taken if outcome.late],
    )


def undisturbed(*streams: list[Arrival]) -> list[Said]:
    """What the windows say where all records come in the order of their event times."""
    records = [arrival.record for stream in streams for arrival in stream]
    ordered = numbered(sorted(records, key=lambda r: (r.times[-1], r.modality == CURRENT)))
    steps = at_once(ordered)
    outcomes: list[Outcome] = join([*steps, silence_after(steps, PUBLISHED)], PUBLISHED)
    return [said(window) for outcome in outcomes for window in outcome.windows]
