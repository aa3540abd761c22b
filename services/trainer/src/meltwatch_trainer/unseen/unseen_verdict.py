"""Recall at false alarms counted: what each contender shows of each kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from meltwatch_core.alarms.setpoints.bootstrap import Estimate, estimate, ratio, resample
from meltwatch_core.alarms.setpoints.held_level import AlarmRule, held_levels
from meltwatch_core.alarms.setpoints.threshold import (
    DAY_S,
    Budget,
    NormalOperation,
    ThresholdBasis,
    find_threshold,
)
from numpy.typing import NDArray

from meltwatch_trainer.judge.alarm_delay import alarms
from meltwatch_trainer.judge.events import match, normal_s, rate_bounds
from meltwatch_trainer.unseen.contenders import FurnaceSurprises
from meltwatch_trainer.unseen.happenings import (
    AFTERMATH_S,
    JUDGED_S,
    THRESHOLD_S,
    stays,
)
from meltwatch_trainer.unseen.watching import HOP_S

FloatArray = NDArray[np.float64]

RULE: Final = AlarmRule(on_delay_s=20.0, off_delay_s=120.0, deadband=0.5)
"""The alarm stays as long as a window looks back. A shorter off-delay ends it when the event ends,
and what the look-back still holds of the event raises it anew."""
BUDGET: Final = Budget(false_alarms=2.0)
LATE_S: Final = RULE.on_delay_s + HOP_S
"""An alarm this long after an event's end is the event's: the on-delay had begun in it."""
STALE_ABOVE: Final = 2.0
STALE_SHARE: Final = 0.6
STALE_OVER_S: Final = 900.0
STALE_WITHIN_S: Final = 1800.0


@dataclass(frozen=True, slots=True)
class ContenderVerdict:
    """What one contender showed.

    Attributes
    ----------
    bases
        Its thresholds, from the hours before the judged ones: of each side that it looks at.
    recall
        Of each kind, with an interval over furnaces.
    mean_recall
        The mean over the kinds that nothing was taught; the hot spot is none of them.
    shown, there
        Events of each furnace and kind: how many an alarm showed, and how many there were.
    false_alarms, days
        Counted in the judged hours, and furnace-days in which an alarm would be false.
    """

    bases: tuple[ThresholdBasis, ...]
    recall: Mapping[str, Estimate]
    mean_recall: Estimate
    shown: Sequence[Sequence[int]]
    there: Sequence[Sequence[int]]
    false_alarms: int
    days: float

    @property
    def false_per_day(self) -> Estimate:
        """False alarms a furnace-day with their exact Poisson interval."""
        return Estimate(self.false_alarms / self.days, *rate_bounds(self.false_alarms, self.days))

    def gain_over(self, other: "ContenderVerdict") -> Estimate:
        """Return by how much its mean recall is above another's on the same furnaces, paired."""
        one, two = (_recalls(np.array(of.shown), np.array(of.there)) for of in (self, other))
        return estimate(one[:, :-1].mean(axis=1) - two[:, :-1].mean(axis=1))


@dataclass(frozen=True, slots=True)
class AftermathVerdict:
    """What a nuisance that stays did to the portrait.

    Attributes
    ----------
    furnaces
        On which it was tried.
    stale_after_min
        Median time until the portrait would call itself stale, minutes; infinite if it does not.
    stale
        On how many it does within half an hour.
    raised
        Most alarms before that on one furnace.
    """

    furnaces: int
    stale_after_min: float
    stale: int
    raised: int


def contender_verdict(
    seen: Sequence[FurnaceSurprises], sides: Sequence[str], kinds: Sequence[str]
) -> ContenderVerdict:
    """Find a contender's thresholds and count what it shows, over all furnaces of a set.

    Parameters
    ----------
    sides
        Surprises that it looks at. Each has a threshold of its own, for its share of the budget.
    kinds
        What happens to the furnaces, the hot spot last.

    Raises
    ------
    NoTailError
        If a side has no threshold.
    """
    share = replace(BUDGET, false_alarms=BUDGET.false_alarms / len(sides))
    bases = tuple(find_threshold(_normal(seen, side), share) for side in sides)
    counts = [_counted(furnace, margins(furnace, sides, bases), kinds) for furnace in seen]
    shown, there = (
        np.array([getattr(count, name) for count in counts]) for name in ("shown", "there")
    )
    recalls = _recalls(shown, there)
    return ContenderVerdict(
        bases=bases,
        recall={kind: estimate(recalls[:, n]) for n, kind in enumerate(kinds)},
        mean_recall=estimate(recalls[:, :-1].mean(axis=1)),
        shown=shown.tolist(),
        there=there.tolist(),
        false_alarms=sum(count.false_alarms for count in counts),
        days=sum(count.quiet_s for count in counts) / DAY_S,
    )


def _recalls(shown: NDArray[np.int64], there: NDArray[np.int64]) -> FloatArray:
    """Return the recall of each kind, per set of weights, of events ``(furnaces, kinds)``."""
    weights = np.vstack([np.ones(len(shown)), resample(len(shown))])
    return ratio(weights @ shown, weights @ there)


def margins(
    furnace: FurnaceSurprises, sides: Sequence[str], bases: Sequence[ThresholdBasis]
) -> FloatArray:
    """Return how far each window lies above the threshold of the side that is furthest above."""
    found: FloatArray = np.max(
        [
            furnace.surprises[side] - basis.logit_on
            for side, basis in zip(sides, bases, strict=True)
        ],
        axis=0,
    )
    return found


@dataclass(frozen=True, slots=True)
class _Count:
    shown: NDArray[np.int64]
    there: NDArray[np.int64]
    false_alarms: int
    quiet_s: float


def _counted(furnace: FurnaceSurprises, margin: FloatArray, kinds: Sequence[str]) -> _Count:
    """Count what one furnace's alarms show in the judged hours."""
    planned = furnace.planned
    starts_s = np.array([each.start_s for each in planned])
    ends_s = np.array([each.end_s for each in planned])
    matching = match(_raised_s(furnace.times_s, margin, JUDGED_S), starts_s, ends_s, LATE_S)
    shown, there = np.zeros((2, len(kinds)), np.int64)
    for each, at_s in zip(planned, matching.raised_s, strict=True):
        there[kinds.index(each.kind)] += 1
        shown[kinds.index(each.kind)] += np.isfinite(at_s)
    begin_s, end_s = JUDGED_S
    quiet_s = normal_s(end_s - begin_s, starts_s - begin_s, ends_s - begin_s, LATE_S)
    return _Count(shown, there, len(matching.false_s), quiet_s)


def _raised_s(times_s: FloatArray, margin: FloatArray, span_s: tuple[float, float]) -> list[float]:
    own = (times_s >= span_s[0]) & (times_s < span_s[1])
    series = zip(times_s[own].tolist(), margin[own].tolist(), strict=True)
    return [alarm.raised_s for alarm in alarms(series, RULE.setpoint(0.0))]


def _normal(seen: Sequence[FurnaceSurprises], name: str) -> NormalOperation:
    held, times_s, unit = [], [], []
    for row, furnace in enumerate(seen):
        own = (furnace.times_s >= THRESHOLD_S[0]) & (furnace.times_s < THRESHOLD_S[1])
        levels = held_levels(furnace.surprises[name][own], HOP_S, RULE)
        kept = np.isfinite(levels)
        held.append(levels[kept])
        # Each furnace begins days after the one before: none shares an occasion.
        times_s.append(furnace.times_s[own][kept] + row * DAY_S)
        unit.append(np.full(int(kept.sum()), row))
    return NormalOperation(
        held=np.concatenate(held),
        times_s=np.concatenate(times_s),
        unit=np.concatenate(unit),
        units=len(seen),
        hop_s=HOP_S,
        furnaces=len(seen),
    )


def aftermath_verdict(
    seen: Sequence[FurnaceSurprises],
    sides: Sequence[str],
    bases: Sequence[ThresholdBasis],
    nuisance: str,
) -> AftermathVerdict:
    """Tell how soon the portrait of furnaces with a staying nuisance calls itself stale."""
    after_min, raised = [], []
    for furnace in (each for each in seen if stays(each.number) == nuisance):
        times_s = furnace.times_s
        surprises = np.max([furnace.surprises[side] for side in sides], axis=0)
        stale_s = next(
            (
                float(at_s)
                for at_s in times_s[times_s >= AFTERMATH_S[0]]
                if np.mean(_latest(times_s, surprises, at_s) > STALE_ABOVE) >= STALE_SHARE
            ),
            np.inf,
        )
        span_s = AFTERMATH_S[0], min(stale_s, AFTERMATH_S[1])
        raised.append(len(_raised_s(times_s, margins(furnace, sides, bases), span_s)))
        after_min.append((stale_s - AFTERMATH_S[0]) / 60)
    return AftermathVerdict(
        furnaces=len(raised),
        stale_after_min=float(np.median(after_min)) if after_min else np.inf,
        stale=sum(minutes <= STALE_WITHIN_S / 60 for minutes in after_min),
        raised=max(raised, default=0),
    )


def _latest(times_s: FloatArray, surprises: FloatArray, until_s: float) -> FloatArray:
    return surprises[(times_s > until_s - STALE_OVER_S) & (times_s <= until_s)]
