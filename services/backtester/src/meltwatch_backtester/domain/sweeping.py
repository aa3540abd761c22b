"""Which threshold and delay a budget of false alarms allows, tried over stored scores.

One span chooses, another one tells what the choice is worth: what chose itself always looks good.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np
from meltwatch_core.alarms.condition import Condition
from meltwatch_core.alarms.setpoints.threshold import Budget
from meltwatch_core.alarms.sweep import LevelSeries, activations, recalled
from meltwatch_schemas.alarm_point import Setpoint
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.labels import Label
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from meltwatch_backtester.domain.labelled import share_bounds
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.errors import BadUsage

_DAY_S: Final = 86_400.0
_SETTLE_NS: Final = round(Budget().settle_s * NS_PER_S)
"""So long after a judged stretch its own alarm may still stand."""


@dataclass(frozen=True, slots=True)
class StoredScores:
    """What one furnace was judged by, and how its alarm began.

    Attributes
    ----------
    furnace_id
        Which.
    setpoint
        As the backtest tried it: deadband and delay of clearing come from it.
    before, series
        Scores before the span, from which delays run on, and those of the span.
    is_active
        The alarm stood before the span.
    """

    furnace_id: str
    setpoint: Setpoint
    before: LevelSeries
    series: LevelSeries
    is_active: bool

    def raises(self, setting: "Setting") -> list[int]:
        """Return when an alarm would have been raised, ns UTC."""
        setpoint = setting.of(self.setpoint)
        begins = recalled(self.before, setpoint, Condition(active=self.is_active))
        found = (each.raised_ns for each in activations(self.series, setpoint, begins))
        return [raised_ns for raised_ns in found if raised_ns is not None]


class Setting(NamedTuple):
    """A threshold and a delay to try.

    Attributes
    ----------
    logit_on
        At or above it a window qualifies.
    on_delay_s
        Held this long before raising; None keeps the alarm's own.
    """

    logit_on: float
    on_delay_s: float | None = None

    def of(self, own: Setpoint) -> Setpoint:
        """Return a set-point of this height; deadband and delay of clearing are its own."""
        delay_s = own.on_delay_s if self.on_delay_s is None else self.on_delay_s
        off = round(self.logit_on - (own.logit_on - own.logit_off), 4)
        changed = {"logit_on": self.logit_on, "logit_off": off, "on_delay_s": delay_s}
        return own.model_copy(update=changed)


@dataclass(frozen=True, slots=True)
class SpanOutcome:
    """What a setting does in a span.

    Attributes
    ----------
    days
        Furnace-days that were judged and are no judged stretch.
    false_alarms
        Raises outside of stretches that were judged right or unclear.
    events, found
        Stretches judged right, and those in which it raises.
    median_after_s
        From an event's start to the raise; None without any.
    """

    days: float
    false_alarms: int
    events: int
    found: int
    median_after_s: float | None

    @property
    def a_day(self) -> float:
        """False alarms per furnace-day."""
        return self.false_alarms / self.days if self.days else 0.0

    def document(self) -> dict[str, Any]:
        """Return it for programs."""
        bounds = share_bounds(self.found, self.events) if self.events else (None, None)
        return {
            "furnace_days": round(self.days, 4),
            "false_alarms": self.false_alarms,
            "false_alarms_per_furnace_day": round(self.a_day, 3),
            "events": self.events,
            "found": self.found,
            "share_low": bounds[0],
            "share_high": bounds[1],
            "median_after_s": self.median_after_s,
        }


@dataclass(frozen=True, slots=True)
class TriedSetting:
    """A setting, and what it does where it was chosen and where it was tested."""

    setting: Setting
    calibration: SpanOutcome
    test: SpanOutcome


@dataclass(frozen=True, slots=True)
class Sweep:
    """All settings that were tried, and the one that the budget allows.

    Attributes
    ----------
    tried
        In the order of delay and threshold.
    chosen
        None if none keeps the budget.
    """

    budget: float
    tried: Sequence[TriedSetting]
    chosen: TriedSetting | None

    @property
    def caution(self) -> str | None:
        """What a reader must know of the choice, or None."""
        days = self.tried[0].calibration.days
        if self.budget * days >= 1:
            return None
        return (
            f"{days:.2g} furnace-days are too short to see {self.budget:g} false alarms in one: "
            "'alarms setpoint' extrapolates"
        )


def swept(
    scores: Sequence[StoredScores],
    settings: Iterable[Setting],
    spans: tuple[Span, Span],
    labels: Sequence[Label],
    budget: float,
) -> Sweep:
    """Try settings over stored scores and choose one.

    Of those within the budget in the first span: the one that finds the most events, then the
    soonest, then the shortest delay, then the lowest threshold.

    Parameters
    ----------
    spans
        Where it is chosen, and where it is tested.
    labels
        What people have judged.
    budget
        False alarms per furnace-day.

    Raises
    ------
    BadUsage
        If the spans overlap, or one of them holds no score.
    """
    first, second = spans
    if first.from_ns < second.to_ns and second.from_ns < first.to_ns:
        raise BadUsage(
            f"--calibrate, --test: expected spans that do not overlap, got {first} and {second}"
        )
    days = [sum(_days(each, span, _of(labels, each)) for each in scores) for span in spans]
    for option, span, length in zip(("--calibrate", "--test"), spans, days, strict=True):
        if not length:
            raise BadUsage(f"{option}: expected scores of normal operation in {span}, found none")
    tried = []
    for setting in settings:
        raises = {each.furnace_id: each.raises(setting) for each in scores}
        outcomes = (
            _outcome(raises, span, labels, length) for span, length in zip(spans, days, strict=True)
        )
        tried.append(TriedSetting(setting, *outcomes))
    within = [each for each in tried if each.calibration.a_day <= budget]
    return Sweep(budget, tried, min(within, key=_merit, default=None))


def _merit(tried: TriedSetting) -> tuple[float, ...]:
    outcome, setting = tried.calibration, tried.setting
    after_s = outcome.median_after_s or 0.0
    return -outcome.found, after_s, setting.on_delay_s or 0.0, setting.logit_on


def _of(labels: Iterable[Label], scores: StoredScores) -> list[Label]:
    return [label for label in labels if label.furnace == scores.furnace_id]


def _days(scores: StoredScores, span: Span, labels: Iterable[Label]) -> float:
    ends = scores.series.ends_ns
    counts = (ends >= span.from_ns) & (ends < span.to_ns)
    for label in labels:
        if label.is_abnormal:
            counts &= (ends < ns_from_utc(label.start)) | (ends >= ns_from_utc(label.end))
    return float(np.count_nonzero(counts)) * PUBLISHED_SPEC.hop_ns / NS_PER_S / _DAY_S


def _outcome(
    raises: Mapping[str, Sequence[int]], span: Span, labels: Sequence[Label], days: float
) -> SpanOutcome:
    within = {name: [at for at in times if at in span] for name, times in raises.items()}
    abnormal = list(_stretches(labels, span, raises.keys()))
    false_alarms = sum(
        not any(name == label.furnace and at in stretch for label, stretch in abnormal)
        for name, times in within.items()
        for at in times
    )
    events = [(label, stretch) for label, stretch in abnormal if label.verdict == "true_alarm"]
    after_s = []
    for label, stretch in events:
        hits = [at for at in within[label.furnace] if at in stretch]
        if hits:
            after_s.append((min(hits) - stretch.from_ns) / NS_PER_S)
    middle = round(median(after_s), 1) if after_s else None
    return SpanOutcome(days, false_alarms, len(events), len(after_s), middle)


def _stretches(
    labels: Iterable[Label], span: Span, furnaces: Iterable[str]
) -> Iterator[tuple[Label, Span]]:
    """Yield what was judged to be no normal operation, until its own alarm is over."""
    known = set(furnaces)
    for label in labels:
        start_ns, end_ns = ns_from_utc(label.start), ns_from_utc(label.end)
        if label.is_abnormal and label.furnace in known and start_ns in span:
            yield label, Span(start_ns, end_ns + _SETTLE_NS)
