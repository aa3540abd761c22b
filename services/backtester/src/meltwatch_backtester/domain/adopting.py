"""Whether a furnace that was watched may alarm, and the alarm points that a person then accepts."""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from meltwatch_core.alarms.points import FurnacePoints
from meltwatch_schemas.alarm import Mode
from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.default_points import OVERHEAT
from meltwatch_schemas.default_setpoint import DEFAULT_SETPOINT
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.point_rules import WITHOUT_SCORE
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import ScoreStatus, WindowScore
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from meltwatch_backtester.domain.portrait_text import StandingPortrait
from meltwatch_backtester.domain.setpoint_finding import SetpointFinding, find_setpoint
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.watch import Abnormal, LogOddsWatch, Said
from meltwatch_backtester.errors import BadUsage

_STATUSES: Final = tuple(ScoreStatus)
_HOUR_NS: Final = 3600 * NS_PER_S
_MOST_DEGRADED: Final = 0.5
_FEWEST_JUDGED: Final = 0.5
_FAR_LOGITS: Final = 1.0
"""A set-point this much above the default one is a furnace that hides its faults well."""


@dataclass(frozen=True)
class WindowCount:
    """The windows of one furnace over a span, each counted once.

    Attributes
    ----------
    asked
        How many end within the span.
    of
        How many there were of each status.
    """

    asked: int
    of: Counter[ScoreStatus]

    @property
    def found(self) -> int:
        """Those that were published."""
        return self.of.total()

    @property
    def judged(self) -> int:
        """Those with a verdict."""
        return self.found - self.of[ScoreStatus.UNSCORED]

    @property
    def hours(self) -> float:
        """How long the furnace was judged."""
        return self.judged * PUBLISHED_SPEC.hop_ns / _HOUR_NS

    def objections(self) -> Iterator[str]:
        """Yield why nothing can be concluded from these windows, whatever was said of them."""
        if self.judged < _FEWEST_JUDGED * self.found:
            share = "none" if not self.judged else f"{self.judged}"
            yield (
                f"it was blind: expected a verdict on half of its {self.found} windows at least, "
                f"got {share}; mend its sources first"
            )
        degraded = self.of[ScoreStatus.DEGRADED]
        if degraded > _MOST_DEGRADED * self.judged:
            yield (
                f"mostly degraded: {degraded} of {self.judged} verdicts rest on one modality; "
                "a set-point from them would not be that of the whole furnace"
            )


class FurnaceWatch:
    """What live said of one furnace; of a window that was published twice the first stands.

    Attributes
    ----------
    is_portrait_stale
        The newest window says that the furnace's portrait is not that of now.
    """

    def __init__(self) -> None:
        self.log_odds = LogOddsWatch()
        self._ends: array[int] = array("q")
        self._statuses: array[int] = array("b")
        self._newest_ns = 0
        self.is_portrait_stale = False

    def add_score(self, score: WindowScore) -> None:
        """Take a window."""
        if score.window_end_ns > self._newest_ns:
            self._newest_ns = score.window_end_ns
            self.is_portrait_stale = Reason.PORTRAIT_STALE in score.reasons
        self._ends.append(score.window_end_ns)
        self._statuses.append(_STATUSES.index(score.status))
        self.log_odds.add_window(
            Said(score.furnace_id, score.window_end_ns, score.logit, score.model.digest)
        )

    def count(self, span: Span) -> WindowCount:
        """Return what there was of each status."""
        _, first = np.unique(np.array(self._ends, np.int64), return_index=True)
        found = np.bincount(np.array(self._statuses, np.int64)[first], minlength=len(_STATUSES))
        of = Counter(dict(zip(_STATUSES, found.tolist(), strict=True)))
        asked = (span.to_ns - span.from_ns) // PUBLISHED_SPEC.hop_ns
        return WindowCount(max(asked, of.total()), of)


@dataclass(frozen=True)
class FurnaceInForce:
    """What is in force of a furnace.

    Attributes
    ----------
    points
        Its alarm points.
    portrait
        Its portrait; None if none stands.
    """

    points: FurnacePoints
    portrait: StandingPortrait | None = None


@dataclass(frozen=True)
class Adoption:
    """What follows from watching a furnace for its alarms.

    Attributes
    ----------
    furnace_id, span
        What was watched.
    budget
        False alarms per furnace-day that are accepted.
    windows
        What there was.
    finding
        Set-points that follow from it; None if nothing does.
    objections
        Why the furnace may not alarm; empty if it may.
    points
        Its alarm points in force that the score of the model judges, the first level first.
    portrait
        What its portrait is, in words.
    portrait_id
        Of that portrait; None if none stands.
    """

    furnace_id: str
    span: Span
    budget: float
    windows: WindowCount
    finding: SetpointFinding | None
    objections: tuple[str, ...]
    points: tuple[AlarmPoint, ...]
    portrait: str
    portrait_id: str | None

    @property
    def may_alarm(self) -> bool:
        """Whether the furnace may alarm by the set-point that was found."""
        return not self.objections

    @property
    def setpoint(self) -> Setpoint | None:
        """The furnace's own; None unless it may alarm by it."""
        return self.finding.setpoint if self.finding and self.may_alarm else None

    def proposal(self) -> Sequence[AlarmPoint]:
        """Return the alarm points as they should be, those alone that are not so already."""
        if self.setpoint is None:
            loud = [point for point in self.points if point.mode is Mode.ALARM]
            return [point.model_copy(update={"mode": Mode.SHADOW}) for point in loud]
        assert self.finding is not None  # noqa: S101 - else there is no set-point
        wanted = []
        for point, own, basis in own_levels(self.points, self.setpoint, self.finding):
            change = {"setpoint": own, "setpoint_basis": basis}
            change |= {"setpoint_digest": self.finding.setpoint_digest}
            if point.mode is Mode.SHADOW:
                change |= {"mode": Mode.ALARM}
            wanted.append(point.model_copy(update=change))
        return [new for old, new in zip(self.points, wanted, strict=True) if new != old]

    def cautions(self) -> Iterator[str]:
        """Yield what whoever accepts the proposal should know."""
        if self.setpoint is None or self.finding is None:
            return
        if self.finding.caution:
            yield self.finding.caution
        above = self.setpoint.logit_on - DEFAULT_SETPOINT.logit_on
        if above > _FAR_LOGITS:
            yield (
                f"its set-point lies {above:.2f} above the default one: a fault must stand out "
                "more, or is seen later"
            )

    def document(self) -> dict[str, Any]:
        """Return the answer for programs, all but the proposal."""
        of = self.windows.of
        return {
            "furnace": self.furnace_id,
            "from": rfc3339(utc_from_ns(self.span.from_ns)),
            "to": rfc3339(utc_from_ns(self.span.to_ns)),
            "may_alarm": self.may_alarm,
            "objections": list(self.objections),
            "cautions": list(self.cautions()),
            "hours_judged": round(self.windows.hours, 3),
            "windows": {status.value: of[status] for status in _STATUSES}
            | {"missing": self.windows.asked - self.windows.found},
            "budget": self.budget,
            "finding": self.finding and self.finding.document(),
            "portrait": self.portrait_id,
            "in_force": [
                {
                    "alarm_id": point.alarm_id,
                    "mode": point.mode.value,
                    "logit_on": point.setpoint.logit_on,
                }
                for point in self.points
            ],
        }

    def lines(self) -> Iterator[str]:
        """Yield the answer for people, all but how to accept the proposal."""
        verdict = "may alarm" if self.may_alarm else "may not alarm yet"
        yield f"{self.furnace_id}, {self.span}: {verdict}"
        yield f"{'watched':<12} {self._watched()}"
        for line in self._levels():
            yield f"{'false alarms':<12} {line}"
        for point in self.points:
            yield (
                f"{'now':<12} {point.condition} is in mode {point.mode.value}, "
                f"raises at {point.setpoint.logit_on:g}"
            )
        yield f"{'portrait':<12} {self.portrait}"
        for line in self.objections:
            yield f"{'because':<12} {line}"
        for line in self.cautions():
            yield f"{'caution':<12} {line}"

    def _watched(self) -> str:
        windows, of = self.windows, self.windows.of
        asked_h = (self.span.to_ns - self.span.from_ns) / _HOUR_NS
        parts = [f"{of[status]} {status.value}" for status in _STATUSES]
        return (
            f"judged for {windows.hours:.1f} h of {asked_h:.1f} h: {', '.join(parts)}, "
            f"{windows.asked - windows.found} missing"
        )

    def _levels(self) -> Iterator[str]:
        if self.finding is None:
            return
        yield f"accepted: {self.budget:g} a furnace-day"
        default = DEFAULT_SETPOINT.logit_on
        yield f"at the default set-point, {default:g}: {self.finding.raised(default)} here"
        if self.setpoint is not None:
            own, basis = self.setpoint.logit_on, self.finding.basis
            yield (
                f"at its own, {own:g} (95 % {basis.low:.2f} to {basis.high:.2f}): "
                f"{self.finding.raised(own)} here"
            )


def adopted(
    watched: tuple[str, FurnaceWatch],
    span: Span,
    abnormal: Sequence[Abnormal],
    budget: float,
    in_force: FurnaceInForce,
) -> Adoption:
    """Decide whether a furnace may alarm.

    Parameters
    ----------
    watched
        The furnace and what live said of it.
    span
        What was watched.
    abnormal
        Stretches that are no normal operation.
    budget
        False alarms per furnace-day.
    in_force
        What there is of it now.

    Raises
    ------
    BadUsage
        If there is no window of it, or no alarm point that a set-point could be for.
    """
    furnace_id, watch = watched
    windows = watch.count(span)
    if not windows.found:
        raise BadUsage(
            f"expected windows of {furnace_id} from {span}, got none; "
            "is the id right, do its sources send?"
        )
    judged = judged_by_score(in_force.points)
    if not judged:
        raise BadUsage(f"expected an alarm point {furnace_id}/{OVERHEAT}, it has none")
    objections, finding = list(windows.objections()), None
    try:
        finding = find_setpoint(watch.log_odds, span, abnormal, budget)
    except BadUsage as error:
        if windows.judged:
            objections.append(f"no set-point: {error}")
    else:
        if refusal := finding.basis.refusal:
            objections.append(f"no set-point yet: {refusal}; watch for longer")
    shown = in_force.portrait
    return Adoption(
        furnace_id=furnace_id,
        span=span,
        budget=budget,
        windows=windows,
        finding=finding,
        objections=tuple(objections),
        points=judged,
        portrait=_portrait(furnace_id, shown, is_stale=watch.is_portrait_stale),
        portrait_id=None if shown is None else shown.portrait_id,
    )


def _portrait(furnace_id: str, shown: StandingPortrait | None, *, is_stale: bool) -> str:
    """Say whether a portrait stands, and what to do if none does, or another one should."""
    make = f"meltwatch portrait fit --furnace {furnace_id} --from -24h --publish"
    if shown is None:
        return f"none stands; after a day of normal operation: {make}"
    made = rfc3339(utc_from_ns(shown.portrait.made_at_ns))
    said = f"{shown.portrait_id[:16]}, made {made} of {shown.portrait.windows:,} windows"
    return f"{said}; stale, make a new one: {make}" if is_stale else said


def own_levels(
    points: Sequence[AlarmPoint], first: Setpoint, finding: SetpointFinding
) -> Iterator[tuple[AlarmPoint, Setpoint, str]]:
    """Yield alarm points with the set-points that follow from that of the first, and their basis.

    Those beside the first level stay as far from it as they are.
    """
    shift = round(first.logit_on - points[0].setpoint.logit_on, 2)
    yield points[0], first, finding.setpoint_basis
    for point in points[1:]:
        levels = {
            name: round(getattr(point.setpoint, name) + shift, 2)
            for name in ("logit_on", "logit_off")
        }
        basis = f"as far above the first level as before; first level: {finding.setpoint_basis}"
        yield point, point.setpoint.model_copy(update=levels), basis


def judged_by_score(points: FurnacePoints) -> tuple[AlarmPoint, ...]:
    """Return the alarm points that the score of the model judges, the first level first.

    Without a first level there is none: the others are counted from it.
    """
    found = [point for point in points.by_scores if point.condition not in WITHOUT_SCORE]
    found.sort(key=lambda point: point.condition != OVERHEAT)
    return tuple(found) if found and found[0].condition == OVERHEAT else ()
