"""Which set-point a budget of false alarms gives, and the evidence for it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from meltwatch_core.alarms.setpoints.held_level import AlarmRule
from meltwatch_core.alarms.setpoints.threshold import (
    Budget,
    NormalOperation,
    NoTailError,
    ThresholdBasis,
    find_threshold,
)
from meltwatch_schemas.alarm_point import Setpoint
from meltwatch_schemas.default_setpoint import DEFAULT_SETPOINT
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from numpy.typing import NDArray

from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.watch import Abnormal, LogOddsWatch, normal_operation
from meltwatch_backtester.errors import BadUsage

RULE: Final = AlarmRule(
    on_delay_s=DEFAULT_SETPOINT.on_delay_s,
    off_delay_s=DEFAULT_SETPOINT.off_delay_s,
    deadband=DEFAULT_SETPOINT.logit_on - DEFAULT_SETPOINT.logit_off,
)
"""Delays and deadband of the set-points that are found: those of the default one."""

_BESIDE: Final = (1 / 7, 0.5, 1.0, 2.0)
"""Budgets that are shown beside the one asked for: from one a week to two a day."""


@dataclass(frozen=True, kw_only=True)
class NormalFinding(ABC):
    """What normal operation reaches, and how rarely.

    Attributes
    ----------
    span
        What was watched.
    furnaces
        Of which there was something to watch.
    normal
        The windows that count.
    basis
        Of the threshold for the budget asked for.
    thresholds
        The same for this and other budgets, in the order of the budgets.
    """

    span: Span
    furnaces: tuple[str, ...]
    normal: NormalOperation
    basis: ThresholdBasis
    thresholds: tuple[ThresholdBasis, ...]

    unit: ClassVar[str]
    default: ClassVar[float | None]

    @property
    @abstractmethod
    def judged_by(self) -> str:
        """What gave the values, for people."""

    @property
    def caution(self) -> str | None:
        """A warning about a threshold that can be used, or None."""
        if round(self.basis.budget * self.basis.days, 1) >= 1:
            return None
        return (
            f"extrapolated: {self.basis.days:.2g} furnace-days are too short to see what happens "
            f"{self.basis.budget:.3g} times in one; its interval tells how sure it is"
        )

    @property
    def peaks(self) -> NDArray[np.float64]:
        """The highest threshold that each occasion above the tail's level reaches."""
        occasions = self.normal.occasions(self.basis.tail.level, Budget().apart_s)
        heights: NDArray[np.float64] = self.normal.held[occasions]
        return heights

    def raised(self, level: float) -> int:
        """Return how often the normal operation that was watched reaches a threshold."""
        below = float(np.nextafter(level, -np.inf))
        return len(self.normal.occasions(below, Budget().apart_s))

    def budget_lines(self) -> Iterator[str]:
        """Yield what was watched, and the threshold of each budget, for people."""
        noun = "furnace" if len(self.furnaces) == 1 else "furnaces"
        yield (
            f"{self.span}: {self.basis.windows} normal windows of {len(self.furnaces)} {noun}, "
            f"{self.basis.days:.2f} furnace-days, {self.basis.clusters} separate peaks"
        )
        yield "false alarms a furnace-day   raise at   95 %              raised here"
        for one in self.thresholds:
            mark = "  <- asked for" if one.budget == self.basis.budget else ""
            bounds = f"{one.low:.2f} to {one.high:.2f}"
            yield self.budget_line(f"{one.budget:.3g}", one.logit_on, bounds) + mark

    def budget_line(self, name: str, level: float, bounds: str = "") -> str:
        """Return one line of the table of budgets."""
        return f"{name:>26}   {level:>8.2f}   {bounds:<16}  {self.raised(level)}"


@dataclass(frozen=True, kw_only=True)
class SetpointFinding(NormalFinding):
    """What follows from normal operation for set-points.

    Attributes
    ----------
    model
        Digest of the one model that judged.
    """

    model: str

    unit = "log-odds"
    default = DEFAULT_SETPOINT.logit_on

    @property
    def judged_by(self) -> str:
        """The model, for people."""
        return f"model {self.model[:16]}"

    @property
    def setpoint(self) -> Setpoint | None:
        """The set-point found; None if its threshold should not be used."""
        return None if self.basis.refusal else RULE.setpoint(round(self.basis.logit_on, 2))

    @property
    def setpoint_basis(self) -> str:
        """What it rests on, as one line for an alarm point."""
        return f"{self.basis.text()}, {self.span}, {self.judged_by}"

    def document(self) -> dict[str, Any]:
        """Return the finding for programs."""
        return {
            "from": rfc3339(utc_from_ns(self.span.from_ns)),
            "to": rfc3339(utc_from_ns(self.span.to_ns)),
            "furnaces": list(self.furnaces),
            "model_digest": self.model,
            "windows": self.basis.windows,
            "furnace_days": self.basis.days,
            "peaks": self.basis.clusters,
            "setpoint": self.setpoint and self.setpoint.model_dump(exclude_none=True),
            "setpoint_basis": self.setpoint_basis,
            "setpoint_digest": self.setpoint_digest,
            "refusal": self.basis.refusal,
            "caution": self.caution,
            "thresholds": [
                {
                    "false_alarms_per_furnace_day": one.budget,
                    "logit_on": one.logit_on,
                    "low": one.low,
                    "high": one.high,
                    "raised": self.raised(one.logit_on),
                }
                for one in self.thresholds
            ],
            "default": {
                "logit_on": DEFAULT_SETPOINT.logit_on,
                "raised": self.raised(DEFAULT_SETPOINT.logit_on),
            },
        }

    @property
    def setpoint_digest(self) -> str | None:
        """The ensemble that the set-point is for; it must not be used with another one."""
        return None if self.setpoint is None else self.model

    def lines(self) -> Iterator[str]:
        """Yield the finding for people."""
        yield from self.budget_lines()
        yield self.budget_line("default set-point", DEFAULT_SETPOINT.logit_on)
        if point := self.setpoint:
            values = point.model_dump(exclude_none=True)
            text = ", ".join(f"{name}: {round(value, 2)}" for name, value in values.items())
            yield f"setpoint: {{{text}}}"
            yield f'setpoint_basis: "{self.setpoint_basis}"'
            yield f"setpoint_digest: {self.setpoint_digest}"
        if self.caution:
            yield self.caution
        if self.basis.refusal:
            yield f"no set-point yet: {self.basis.refusal}; watch for longer"


def thresholds_by_budget(
    normal: NormalOperation, span: Span, false_alarms: float
) -> dict[float, ThresholdBasis]:
    """Return the threshold of a budget of false alarms and of some others, by budget.

    Parameters
    ----------
    normal, span
        What was watched.
    false_alarms
        Per furnace-day.

    Raises
    ------
    BadUsage
        If the windows are all alike, or there are none.
    """
    budgets = sorted({*_BESIDE, false_alarms})
    try:
        return {each: find_threshold(normal, Budget(false_alarms=each)) for each in budgets}
    except NoTailError as error:
        raise BadUsage(f"{span}: {error}") from error


def find_setpoint(
    watch: LogOddsWatch, span: Span, abnormal: Sequence[Abnormal], false_alarms: float
) -> SetpointFinding:
    """Find the set-point for a budget of false alarms.

    Parameters
    ----------
    span
        That was watched.
    abnormal
        Stretches that are no normal operation.
    false_alarms
        Per furnace-day.

    Raises
    ------
    BadUsage
        If there are no scores, scores of several models, or scores that are all alike.
    """
    if len(watch.models) != 1:
        found = ", ".join(sorted(digest[:16] for digest in watch.models)) or "no scores"
        raise BadUsage(
            f"expected scores of one model from {span}, got {found}; choose another span"
        )
    normal = normal_operation(watch, abnormal, RULE, Budget().settle_s)
    thresholds = thresholds_by_budget(normal, span, false_alarms)
    return SetpointFinding(
        span=span,
        furnaces=tuple(watch.furnaces),
        model=next(iter(watch.models)),
        normal=normal,
        basis=thresholds[false_alarms],
        thresholds=tuple(thresholds.values()),
    )
