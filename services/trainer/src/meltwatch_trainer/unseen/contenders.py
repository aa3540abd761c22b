"""What is compared: the portrait, and what it would be without a part of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from meltwatch_core.portraits import (
    CURRENT_MODES,
    CURRENT_RISE_PER_S,
    PATCH_RISE_PER_S,
    VIDEO_MODES,
    PortraitSide,
    fit_scale,
    fit_side,
    fitted_count,
    raw_novelty,
)
from meltwatch_core.portraits.features import PATCH_FEATURES
from numpy.typing import NDArray

from meltwatch_trainer.data.run_sets import RunSet
from meltwatch_trainer.judge.served_ensemble import ServedEnsemble
from meltwatch_trainer.train.study import SHIPPED
from meltwatch_trainer.unseen.happenings import (
    AFTERMATH_S,
    FIT_S,
    THRESHOLD_S,
    Happening,
    furnace_with,
    happenings,
    judged_kinds,
    left_in,
)
from meltwatch_trainer.unseen.watching import (
    GAP_S,
    SeenWindows,
    first_member,
    member_tokens,
    served_logits,
    watch,
)

FloatArray = NDArray[np.float64]

ONE_THRESHOLD: Final = "the larger of both, one threshold"
CURRENTS_ALONE: Final = "portrait, video lost"
VIDEO_ALONE: Final = "portrait, currents lost"
WITHOUT_PERSISTENCE: Final = "without persistence"
NEAREST: Final = "three nearest neighbours"
OF_ANOTHER: Final = "portrait of another furnace"
FAULTS_LEFT_IN: Final = "5 % of faults left in"
VIDEO_OF_ONE_MODE: Final = "one mode, currents lost"
CURRENTS_OF_ONE_MODE: Final = "one mode, video lost"
RANDOM_DIRECTIONS: Final = "random directions"
SERVED: Final = "served logit"
TOKENS: Final = "tokens of a frozen member"
NEIGHBOURS: Final = 3


@dataclass(frozen=True, slots=True)
class FurnaceSurprises:
    """How surprising each window of a furnace was to each contender.

    Attributes
    ----------
    number
        Of the furnace in its set.
    planned
        What happens to it in the judged hours.
    times_s
        Shape ``(n,)``, window ends from the threshold's hours on.
    surprises
        Per contender, shape ``(n,)``.
    """

    number: int
    planned: tuple[Happening, ...]
    times_s: FloatArray
    surprises: Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True)
class Portraits:
    """Both sides of a portrait."""

    video: PortraitSide
    current: PortraitSide

    def of_video(self, seen: SeenWindows) -> FloatArray:
        """Return the surprise of the video of each window."""
        return self.video.surprises(seen.video, seen.times_s, GAP_S)

    def of_current(self, seen: SeenWindows) -> FloatArray:
        """Return the surprise of the currents of each window."""
        return self.current.surprises(seen.current, seen.times_s, GAP_S)

    def of_both(self, seen: SeenWindows) -> FloatArray:
        """Return the larger surprise of each window."""
        return np.maximum(self.of_video(seen), self.of_current(seen))


def portrayed(
    seen: SeenWindows, video_modes: int = VIDEO_MODES, current_modes: int = CURRENT_MODES
) -> Portraits:
    """Make the portrait of a furnace from hours of normal operation."""
    return Portraits(
        fit_side(seen.video, seen.times_s, GAP_S, PATCH_RISE_PER_S, video_modes),
        fit_side(seen.current, seen.times_s, GAP_S, CURRENT_RISE_PER_S, current_modes),
    )


def without_persistence(own: Portraits, fit: SeenWindows, seen: SeenWindows) -> FloatArray:
    """Return the larger surprise of levels that nothing follows."""
    sides = ((own.video, fit.video, seen.video), (own.current, fit.current, seen.current))
    kept = fitted_count(len(fit.times_s))
    found = []
    for side, before, now in sides:
        scale = fit_scale(raw_novelty(side.usual.law.levels(before[kept:])))
        found.append(scale.surprise(raw_novelty(side.usual.law.levels(now))))
    return np.maximum(*found)


def random_directions(own: Portraits, fit: SeenWindows, seen: SeenWindows) -> FloatArray:
    """Return the larger surprise where random directions of a patch stand for cosines."""
    side = fit_side(fit.random, fit.times_s, GAP_S, PATCH_RISE_PER_S, VIDEO_MODES)
    return np.maximum(side.surprises(seen.random, seen.times_s, GAP_S), own.of_current(seen))


def of_tokens(
    own: Portraits, fit_s: FloatArray, fit: FloatArray, seen: SeenWindows, tokens: FloatArray
) -> FloatArray:
    """Return the larger surprise where a member's tokens stand for what is known of a patch.

    Of each token as many numbers are kept as a patch of the portrait has: those directions in which
    the tokens of the fitted windows differ most.

    Parameters
    ----------
    fit_s
        Shape ``(n,)``: window ends of the fit.
    fit, tokens
        Shapes ``(n, 64, D)`` and ``(m, 64, D)``: tokens of the fit's windows, and of the seen ones.
    """
    kept = fit[: fitted_count(len(fit))]
    off = (kept - kept.mean(axis=0)).reshape(-1, kept.shape[-1])
    _, directions = np.linalg.eigh(off.T @ off)
    most = directions[:, -PATCH_FEATURES:]
    side = fit_side(fit @ most, fit_s, GAP_S, PATCH_RISE_PER_S, VIDEO_MODES)
    return np.maximum(side.surprises(tokens @ most, seen.times_s, GAP_S), own.of_current(seen))


def nearest_neighbours(fit: SeenWindows, seen: SeenWindows) -> FloatArray:
    """Return the larger surprise of the distance to the nearest windows of the fit.

    Each number is measured in its own deviations; places are compared with themselves.
    """
    kept = fitted_count(len(fit.times_s))
    found = []
    for before, now in ((fit.video, seen.video), (fit.current, seen.current)):
        spread = before[:kept].std(axis=0) + 1e-9
        bank = before[:kept] / spread
        scale = fit_scale(raw_novelty(_distances(bank, before[kept:] / spread)))
        found.append(scale.surprise(raw_novelty(_distances(bank, now / spread))))
    return np.maximum(*found)


def _distances(bank: FloatArray, seen: FloatArray) -> FloatArray:
    """Return the logarithm of the squared distance to the third nearest, ``(n, places)``."""
    columns = []
    for place in range(bank.shape[1]):
        own, there = bank[:, place], seen[:, place]
        square = (there**2).sum(axis=1)[:, None] + (own**2).sum(axis=1) - 2 * there @ own.T
        nearest = np.partition(square, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1]
        columns.append(np.log(np.maximum(nearest, 1e-12)))
    return np.stack(columns, axis=1)


def furnace_surprises(
    seed: int, runs: RunSet, repository: Path | None, number: int
) -> FurnaceSurprises:
    """Let every contender look at one furnace.

    Parameters
    ----------
    repository
        Whose ensemble is asked too; None asks none.
    """
    furnace_id = runs.furnace_id(number)
    planned = happenings(seed, furnace_id, judged_kinds())
    furnace = furnace_with(seed, runs, number, planned, nuisances=True)
    whole = watch(furnace, FIT_S[0], AFTERMATH_S[1])
    fit, seen = whole.within(*FIT_S), whole.within(THRESHOLD_S[0], AFTERMATH_S[1])
    own, of_one_mode = portrayed(fit), portrayed(fit, 1, 1)
    neighbour = (number + 1) % runs.furnaces
    other = portrayed(watch(furnace_with(seed, runs, neighbour, (), nuisances=False), *FIT_S))
    spots = left_in(seed, furnace_id)
    careless = portrayed(watch(furnace_with(seed, runs, number, spots, nuisances=False), *FIT_S))
    surprises = {
        ONE_THRESHOLD: own.of_both(seen),
        VIDEO_ALONE: own.of_video(seen),
        CURRENTS_ALONE: own.of_current(seen),
        WITHOUT_PERSISTENCE: without_persistence(own, fit, seen),
        RANDOM_DIRECTIONS: random_directions(own, fit, seen),
        CURRENTS_OF_ONE_MODE: of_one_mode.of_current(seen),
        VIDEO_OF_ONE_MODE: of_one_mode.of_video(seen),
        NEAREST: nearest_neighbours(fit, seen),
        OF_ANOTHER: other.of_both(seen),
        FAULTS_LEFT_IN: careless.of_both(seen),
    }
    if repository is not None:
        ensemble = ServedEnsemble(repository, SHIPPED)
        surprises[SERVED] = served_logits(furnace, seen.times_s, ensemble)
        member = first_member(repository)
        before, now = (member_tokens(furnace, each.times_s, member) for each in (fit, seen))
        surprises[TOKENS] = of_tokens(own, fit.times_s, before, seen, now)
    return FurnaceSurprises(number, planned, seen.times_s, surprises)
