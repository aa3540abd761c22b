"""What is compared: the portrait, and what other works would put beside it or in its place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from meltwatch_core.portraits import (
    CURRENT_RISE_PER_S,
    PATCH_RISE_PER_S,
    PlaceLaw,
    PortraitSide,
    UsualLevels,
    fit_law,
    fit_scale,
    fitted_count,
)
from numpy.typing import NDArray

from meltwatch_trainer.rivals.adaptors import explained, fit_adaptors
from meltwatch_trainer.rivals.one_sided import fit_flow, fit_gap_filler
from meltwatch_trainer.rivals.rival_sets import RivalSet
from meltwatch_trainer.unseen.contenders import (
    CURRENTS_ALONE,
    VIDEO_ALONE,
    FurnaceSurprises,
    portrayed,
)
from meltwatch_trainer.unseen.happenings import FIT_S, JUDGED_S, THRESHOLD_S
from meltwatch_trainer.unseen.watching import GAP_S, HOP_S, SeenWindows, watch

FloatArray = NDArray[np.float64]
Features = Callable[[SeenWindows], FloatArray]

TRANSLATED: Final = "translation alone"
ALIGNED: Final = "alignment alone"
VIDEO_TOLD: Final = "video, told by the currents"
CURRENTS_TOLD: Final = "currents, told by the video"
FLOW: Final = "flow over the patches"
GAPS_FILLED: Final = "gaps in the currents, filled"
LEADING: Final = "the calmer side leads"
CALM_S: Final = 600.0
"""How long a side is watched to tell how calm it is."""


@dataclass(frozen=True, slots=True)
class RivalSurprises:
    """What every contender saw of a furnace.

    Attributes
    ----------
    surprises
        Of each side.
    explained
        Share of the pooled picture's variance that the currents predict in the threshold's hours.
    """

    surprises: FurnaceSurprises
    explained: float


def rival_surprises(seed: int, judged: RivalSet, number: int) -> RivalSurprises:
    """Let every contender look at one furnace."""
    planned = judged.plan(seed, number)
    furnace = judged.made(seed, judged.runs, number, planned)
    whole = watch(furnace, FIT_S[0], JUDGED_S[1])
    fit, seen = whole.within(*FIT_S), whole.within(THRESHOLD_S[0], JUDGED_S[1])
    return RivalSurprises(
        FurnaceSurprises(number, planned, seen.times_s, side_surprises(fit, seen)),
        explained(fit_adaptors(fit), whole.within(*THRESHOLD_S)),
    )


def side_surprises(fit: SeenWindows, seen: SeenWindows) -> dict[str, FloatArray]:
    """Return the surprise of each window on each side, of laws that ``fit`` taught."""
    kept = fitted_count(len(fit.times_s))
    own, adaptors = portrayed(fit), fit_adaptors(fit)
    gaps = fit_gap_filler(fit.series[:kept])
    flow = fit_flow(fit.video[:kept])
    video, current = own.of_video(seen), own.of_current(seen)

    def held_against(law: PlaceLaw, features: Features, rise_per_s: float) -> FloatArray:
        told = features(fit)
        usual = UsualLevels(law, np.median(law.levels(told[:kept]), axis=0), rise_per_s)
        scale = fit_scale(usual.raw(told[kept:], fit.times_s[kept:], GAP_S))
        return PortraitSide(usual, scale).surprises(features(seen), seen.times_s, GAP_S)

    def with_own_law(features: Features, rise_per_s: float) -> FloatArray:
        return held_against(fit_law(features(fit)[:kept]), features, rise_per_s)

    # What is translated is held against the law of what is seen, on a scale of its own.
    return {
        VIDEO_ALONE: video,
        CURRENTS_ALONE: current,
        TRANSLATED: with_own_law(adaptors.translation, PATCH_RISE_PER_S),
        ALIGNED: with_own_law(adaptors.disagreement, PATCH_RISE_PER_S),
        VIDEO_TOLD: held_against(own.video.usual.law, adaptors.told_video, PATCH_RISE_PER_S),
        CURRENTS_TOLD: held_against(
            own.current.usual.law, adaptors.told_current, CURRENT_RISE_PER_S
        ),
        FLOW: held_against(flow, lambda windows: windows.video, PATCH_RISE_PER_S),
        GAPS_FILLED: with_own_law(lambda windows: gaps.misses(windows.series), CURRENT_RISE_PER_S),
        LEADING: leading(video, current),
    }


def leading(video: FloatArray, current: FloatArray) -> FloatArray:
    """Return the larger surprise of both sides, each counted by how calm it was: HCT-DMG's gate.

    A side that has long been surprised misleads, and counts less.
    """
    last = round(CALM_S / HOP_S)
    told = []
    for side in (video, current):
        total = np.concatenate([np.zeros(1), np.cumsum(side)])
        first = np.maximum(np.arange(len(side)) - last, 0)
        before = np.maximum(np.arange(len(side)) - first, 1)
        told.append(side / (1.0 + (total[:-1] - total[first]) / before))
    return np.maximum(*told)
