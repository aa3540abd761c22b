"""Set-points to try: alarm points with other thresholds and otherwise unchanged."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from meltwatch_core.alarms.points import FurnacePoints, MasterAlarmList
from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.default_points import OVERHEAT
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import check_alarm_id, split_alarm_id
from meltwatch_schemas.point_rules import WITHOUT_SCORE

from meltwatch_backtester.errors import BadUsage


@dataclass(frozen=True, slots=True)
class Threshold:
    """Logits at which an alarm raises and clears.

    Attributes
    ----------
    logit_on
        At or above it a window qualifies.
    logit_off
        Below it a window clears; None keeps the alarm point's own, or ``logit_on`` if that is less.
    """

    logit_on: float
    logit_off: float | None = None

    def of(self, setpoint: Setpoint) -> Setpoint:
        """Return a set-point with these thresholds and its own delays."""
        off = min(setpoint.logit_off, self.logit_on) if self.logit_off is None else self.logit_off
        return setpoint.model_copy(update={"logit_on": self.logit_on, "logit_off": off})


@dataclass(frozen=True)
class Thresholds:
    """What to try.

    Attributes
    ----------
    overheat
        For every OVERHEAT alarm point, or None.
    named
        By alarm id, before ``overheat``.
    """

    overheat: Threshold | None = None
    named: Mapping[str, Threshold] = field(default_factory=dict)

    def under(self, point: AlarmPoint) -> AlarmPoint:
        """Return an alarm point as it is to be tried."""
        threshold = self.named.get(point.alarm_id)
        if threshold is None and point.condition == OVERHEAT:
            threshold = self.overheat
        if threshold is None:
            return point
        return point.model_copy(update={"setpoint": threshold.of(point.setpoint)})


def parse_thresholds(texts: list[str]) -> Thresholds:
    """Return the thresholds of ``ON[/OFF]`` and ``ALARM_ID=ON[/OFF]``.

    Raises
    ------
    BadUsage
        If a text is neither, if ``OFF`` is above ``ON``, or if no score judges the alarm.
    """
    overheat, named = None, {}
    for text in texts:
        alarm_id, is_named, levels = text.rpartition("=")
        threshold = _parse(text, levels)
        if not is_named:
            overheat = threshold
            continue
        try:
            named[check_alarm_id(alarm_id)] = threshold
        except ContractViolation as refusal:
            raise BadUsage(f"--threshold: {text!r}: {refusal.detail}") from refusal
        if split_alarm_id(alarm_id)[1] in WITHOUT_SCORE:
            raise BadUsage(
                f"--threshold: expected an alarm that is judged by the score, got {alarm_id}"
            )
    return Thresholds(overheat, named)


def _parse(text: str, levels: str) -> Threshold:
    on, has_off, off = levels.partition("/")
    try:
        threshold = Threshold(float(on), float(off) if has_off else None)
    except ValueError:
        threshold = Threshold(math.nan)
    lowest = threshold.logit_on if threshold.logit_off is None else threshold.logit_off
    if not (math.isfinite(threshold.logit_on) and -math.inf < lowest <= threshold.logit_on):
        raise BadUsage(
            f"--threshold: expected ON, ON/OFF or ALARM_ID=ON/OFF with OFF at most ON, got {text!r}"
        )
    return threshold


class TriedAlarmList(MasterAlarmList):
    """The master alarm list with other thresholds in force.

    Parameters
    ----------
    plant
        Alarm points of each registered furnace.
    thresholds
        What to try.
    """

    def __init__(self, plant: Mapping[str, tuple[AlarmPoint, ...]], thresholds: Thresholds) -> None:
        super().__init__(plant)
        self._thresholds = thresholds
        self._tried: dict[str, tuple[FurnacePoints, FurnacePoints]] = {}

    def points(self, furnace_id: str) -> FurnacePoints:
        """Return the alarm points of a furnace, as they are tried."""
        own = super().points(furnace_id)
        known = self._tried.get(furnace_id)
        if known is None or known[0] is not own:
            tried = {name: self._thresholds.under(point) for name, point in own.all.items()}
            known = self._tried[furnace_id] = (own, FurnacePoints.of(tried))
        return known[1]

    def differs(self, alarm_id: str, furnace_id: str) -> bool:
        """Tell whether an alarm point is tried with other thresholds than its own."""
        own = super().points(furnace_id).all.get(alarm_id)
        return own is not None and self._thresholds.under(own).setpoint != own.setpoint
