"""What happens to the furnaces of the study, and when. Time goes forward: fit, threshold, judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from meltwatch_schemas.window import NS_PER_S
from meltwatch_simulator import Fault, Scenario
from meltwatch_simulator.randomness import key_of
from meltwatch_simulator.schedule import KIND
from meltwatch_simulator.unseen import KINDS, NUISANCES, UnseenEvent, UnseenFurnace

from meltwatch_trainer.data.run_sets import RunSet
from meltwatch_trainer.data.simulated_runs import ORIGIN_NS

HOUR_S: Final = 3600
FIT_S: Final = (0, 4 * HOUR_S)
THRESHOLD_S: Final = (4 * HOUR_S, 8 * HOUR_S)
JUDGED_S: Final = (8 * HOUR_S, 12 * HOUR_S)
AFTERMATH_S: Final = (12 * HOUR_S, 13 * HOUR_S)
"""The hour after, into which the nuisances that stay are put: nothing is judged behind them."""

SLOT_S: Final = 600
"""Each slot of the judged hours has one event."""
LENGTH_S: Final = (60, 180)
LATEST_START_S: Final = 390
SPOT: Final = "hot spot"
"""A fault as the ensemble was taught it, which the portrait finds without one label."""
OPEN_KINDS: Final = ("leak", "broken electrode")
"""Choices were made with these alone, on furnaces of the sets ``unseen-choice…``."""
STAYING: Final = ("dirt", "bump", "tint")
LEFT_IN_SHARE: Final = 0.05
"""Of the hours of the fit that hot spots fill, in the row that leaves them in."""

UNSEEN: Final = RunSet("unseen", furnaces=24, minutes=780)
UNSEEN_SHIFTED: Final = RunSet("unseen-shifted", furnaces=24, minutes=780, beyond=0.3)
UNSEEN_CHOICE: Final = RunSet("unseen-choice", furnaces=8, minutes=780)
UNSEEN_CHOICE_MORE: Final = RunSet("unseen-choice-more", furnaces=16, minutes=780)
UNSEEN_CHOICE_SHIFTED: Final = RunSet("unseen-choice-shifted", 12, minutes=780, beyond=0.3)
JUDGED_SETS: Final = (UNSEEN, UNSEEN_SHIFTED)
UNSEEN_SETS: Final = {
    each.name: each
    for each in (*JUDGED_SETS, UNSEEN_CHOICE, UNSEEN_CHOICE_MORE, UNSEEN_CHOICE_SHIFTED)
}


def judged_kinds() -> tuple[str, ...]:
    """Return every kind that an alarm should show: whatever is no nuisance, and the hot spot."""
    return (*(kind for kind in KINDS if kind not in NUISANCES), SPOT)


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of the judged hours.

    Attributes
    ----------
    kind
        What it is.
    start_s, end_s
        Seconds from the run's origin.
    """

    kind: str
    start_s: float
    end_s: float

    @property
    def span_ns(self) -> tuple[int, int]:
        """Start and end as event times, ns."""
        return at_ns(self.start_s), at_ns(self.end_s)


def at_ns(seconds: float) -> int:
    """Return the event time of so many seconds from the origin, ns."""
    return ORIGIN_NS + round(seconds * NS_PER_S)


def happenings(seed: int, furnace_id: str, kinds: Sequence[str]) -> tuple[Happening, ...]:
    """Return the events of a furnace's judged hours: each kind as often, in an order of its own."""
    rng = np.random.default_rng(key_of(seed, furnace_id, "happenings"))
    slots = range(JUDGED_S[0], JUDGED_S[1], SLOT_S)
    order = [kind for _ in range(len(slots) // len(kinds) + 1) for kind in rng.permutation(kinds)]
    found = []
    for slot_s, kind in zip(slots, order, strict=False):
        start_s = slot_s + rng.uniform(30, LATEST_START_S)
        found.append(Happening(str(kind), start_s, start_s + rng.uniform(*LENGTH_S)))
    return tuple(found)


def left_in(seed: int, furnace_id: str) -> tuple[Happening, ...]:
    """Return hot spots that fill a twentieth of the hours of the fit."""
    rng = np.random.default_rng(key_of(seed, furnace_id, "left in"))
    count = round(LEFT_IN_SHARE * (FIT_S[1] - FIT_S[0]) / np.mean(LENGTH_S))
    starts_s = np.linspace(*FIT_S, count, endpoint=False) + rng.uniform(30, 600, count)
    return tuple(Happening(SPOT, at_s, at_s + rng.uniform(*LENGTH_S)) for at_s in starts_s)


def stays(number: int) -> str:
    """Return which nuisance stays in the last hour of a set's furnace."""
    return STAYING[number % len(STAYING)]


@dataclass(frozen=True, slots=True)
class PlannedSpots:
    """A schedule of the hot spots among some happenings."""

    planned: tuple[Happening, ...]

    def between(self, furnace_id: str, start_ns: int, end_ns: int) -> tuple[Fault, ...]:
        """Return the faults that overlap ``[start_ns, end_ns)``, by start."""
        faults = (Fault(furnace_id, *each.span_ns, KIND, False) for each in self.planned)
        return tuple(f for f in faults if f.start_ns < end_ns and f.end_ns > start_ns)


def furnace_with(
    seed: int, runs: RunSet, number: int, planned: Sequence[Happening], *, nuisances: bool
) -> UnseenFurnace:
    """Return one of a set's furnaces, with what happens to it.

    Parameters
    ----------
    planned
        What shall be found.
    nuisances
        Whether people pass in the judged hours, and something stays in the last one.
    """
    furnace_id = runs.furnace_id(number)
    spots = PlannedSpots(tuple(each for each in planned if each.kind == SPOT))
    furnace = Scenario(seed, (furnace_id,), ORIGIN_NS, None, spots, runs.beyond).furnace(furnace_id)
    events = [each for each in planned if each.kind != SPOT]
    if nuisances:
        events += [
            Happening("people", slot_s + 5.0, slot_s + 10.0) for slot_s in range(*JUDGED_S, SLOT_S)
        ]
        events.append(Happening(stays(number), *AFTERMATH_S))
    return UnseenFurnace(
        furnace,
        [
            UnseenEvent(each.kind, *each.span_ns, key_of(seed, furnace_id, each.kind, each.start_s))
            for each in events
        ],
    )
