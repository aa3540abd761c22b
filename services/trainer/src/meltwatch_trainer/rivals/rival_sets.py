"""Furnaces on which the portrait's rivals are judged: coupled ones, and the usual ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from meltwatch_simulator.coupled import BREAKS, CoupledFurnace
from meltwatch_simulator.randomness import key_of
from meltwatch_simulator.unseen import UnseenEvent, UnseenFurnace

from meltwatch_trainer.data.run_sets import RunSet
from meltwatch_trainer.unseen.happenings import (
    SPOT,
    UNSEEN,
    Happening,
    PlannedSpots,
    furnace_with,
    happenings,
    judged_kinds,
)

COUPLED_KINDS: Final = (*BREAKS, "leak", SPOT)


@dataclass(frozen=True, slots=True)
class RivalSet:
    """Furnaces on which both methods are judged.

    Attributes
    ----------
    runs
        The furnaces.
    kinds
        What happens to them in the judged hours, the hot spot last.
    made
        Gives one of them by seed, set, number and what happens to it.
    """

    runs: RunSet
    kinds: tuple[str, ...]
    made: Callable[[int, RunSet, int, Sequence[Happening]], UnseenFurnace]

    def plan(self, seed: int, number: int) -> tuple[Happening, ...]:
        """Return what happens to a furnace in the judged hours."""
        return happenings(seed, self.runs.furnace_id(number), self.kinds)

    def cut(self, furnaces: int | None) -> Self:
        """Return the same with so many furnaces at most; None for all."""
        most = self.runs.furnaces if furnaces is None else min(furnaces, self.runs.furnaces)
        return replace(self, runs=replace(self.runs, furnaces=most))


def coupled_furnace(
    seed: int, runs: RunSet, number: int, planned: Sequence[Happening]
) -> UnseenFurnace:
    """Return one of a set's furnaces, its picture following its currents."""
    furnace_id = runs.furnace_id(number)
    spots = PlannedSpots(tuple(each for each in planned if each.kind == SPOT))
    events = [
        UnseenEvent(each.kind, *each.span_ns, key_of(seed, furnace_id, each.kind, each.start_s))
        for each in planned
        if each.kind != SPOT
    ]
    furnace = CoupledFurnace(seed, furnace_id, spots, events, beyond=runs.beyond)
    return UnseenFurnace(furnace, events)


def plain_furnace(
    seed: int, runs: RunSet, number: int, planned: Sequence[Happening]
) -> UnseenFurnace:
    """Return one of a set's furnaces, its picture following nothing."""
    return furnace_with(seed, runs, number, planned, nuisances=True)


COUPLED_CHOICE: Final = "coupled-choice"
"""Choices were made on this set alone."""
RIVAL_SETS: Final[Mapping[str, RivalSet]] = {
    "coupled": RivalSet(
        RunSet("coupled", furnaces=24, minutes=720), COUPLED_KINDS, coupled_furnace
    ),
    "unseen": RivalSet(UNSEEN, judged_kinds(), plain_furnace),
    COUPLED_CHOICE: RivalSet(
        RunSet(COUPLED_CHOICE, furnaces=8, minutes=720), COUPLED_KINDS, coupled_furnace
    ),
}
