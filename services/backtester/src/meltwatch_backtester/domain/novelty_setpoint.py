"""Which threshold of novelty a budget of false alarms gives, and the evidence for it."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from meltwatch_core.alarms.alarm import surprise_of
from meltwatch_core.alarms.setpoints.held_level import AlarmRule
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from meltwatch_backtester.domain.setpoint_finding import NormalFinding, thresholds_by_budget
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.watch import Abnormal, LogOddsWatch, Said, normal_operation
from meltwatch_backtester.errors import BadUsage

NOVELTY_RULE: Final = AlarmRule(on_delay_s=20.0, off_delay_s=120.0, deadband=0.5)
"""Delays and deadband of the class ``novelty``, by which portraits were judged (ADR 0042)."""
SETTLE_S: Final = PUBLISHED_SPEC.lookback_ns / NS_PER_S + NOVELTY_RULE.off_delay_s
"""So long after a stretch that was no normal operation its own alarm may stand: windows look back
on it, and the alarm ends as much later as the off-delay."""
_NAMED: Final = 3
"""Portraits that are named at most."""


class ComparedWindow(NamedTuple):
    """The larger surprise of one window, and the portrait that gave it."""

    furnace_id: str
    end_ns: int
    surprise: float
    portrait_id: str


class SurpriseWatch:
    """The surprises of furnaces, each under one portrait."""

    def __init__(self) -> None:
        self.surprises = LogOddsWatch()
        self._portraits: defaultdict[str, set[str]] = defaultdict(set)

    def add_score(self, score: WindowScore) -> None:
        """Take what a score says of novelty; one that judges none leaves a gap."""
        surprise = surprise_of(score)
        if score.novelty is None or surprise is None:
            return
        self.add_surprise(score.furnace_id, score.window_end_ns, surprise, score.novelty.portrait)

    def add_surprise(self, furnace_id: str, end_ns: int, surprise: float, portrait_id: str) -> None:
        """Take the larger surprise of a window."""
        self._portraits[furnace_id].add(portrait_id)
        self.surprises.add_window(Said(furnace_id, end_ns, surprise, portrait_id))

    def portraits(self, span: Span) -> dict[str, str]:
        """Return the portrait of each furnace.

        Raises
        ------
        BadUsage
            If no score names one, or a furnace has had several.
        """
        if not self._portraits:
            raise BadUsage(
                f"expected scores with a novelty from {span}, got none; does a portrait stand? "
                "See 'meltwatch portrait list'"
            )
        for furnace_id, found in self._portraits.items():
            if len(found) > 1:
                names = ", ".join(sorted(each[:16] for each in found))
                raise BadUsage(
                    f"expected scores by one portrait of {furnace_id} from {span}, got {names}; "
                    "begin where the newest one does (--from)"
                )
        return {furnace_id: next(iter(found)) for furnace_id, found in self._portraits.items()}


@dataclass(frozen=True, kw_only=True)
class NoveltyFinding(NormalFinding):
    """What follows from normal operation for alarm points of novelty.

    Attributes
    ----------
    portraits
        Of each furnace.
    """

    portraits: Mapping[str, str]

    unit = "surprise"
    default = None

    @property
    def judged_by(self) -> str:
        """The portraits, for people."""
        names = sorted({each[:16] for each in self.portraits.values()})
        more = "" if len(names) <= _NAMED else f" and {len(names) - _NAMED} more"
        return f"portrait {', '.join(names[:_NAMED])}{more}"

    @property
    def setpoint(self) -> dict[str, float] | None:
        """Thresholds and delays; None if its threshold should not be used."""
        if self.basis.refusal:
            return None
        on = round(self.basis.logit_on, 2)
        return {
            "novelty_on": on,
            "novelty_off": round(on - NOVELTY_RULE.deadband, 2),
            "on_delay_s": NOVELTY_RULE.on_delay_s,
            "off_delay_s": NOVELTY_RULE.off_delay_s,
        }

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
            "portraits": dict(self.portraits),
            "windows": self.basis.windows,
            "furnace_days": self.basis.days,
            "peaks": self.basis.clusters,
            "setpoint": self.setpoint,
            "setpoint_basis": self.setpoint_basis,
            "refusal": self.basis.refusal,
            "caution": self.caution,
            "thresholds": [
                {
                    "false_alarms_per_furnace_day": one.budget,
                    "novelty_on": one.logit_on,
                    "low": one.low,
                    "high": one.high,
                    "raised": self.raised(one.logit_on),
                }
                for one in self.thresholds
            ],
        }

    def lines(self) -> Iterator[str]:
        """Yield the finding for people, with the alarm points to paste."""
        yield from self.budget_lines()
        if self.setpoint is not None:
            yield "for the plant file, or a file for 'meltwatch alarms points apply':"
            yield from self.point_lines(self.setpoint)
        if self.caution:
            yield self.caution
        if self.basis.refusal:
            yield f"no set-point yet: {self.basis.refusal}; watch for longer"

    def point_lines(self, setpoint: Mapping[str, float]) -> Iterator[str]:
        """Yield the alarm point of each furnace as YAML."""
        levels = ", ".join(f"{name}: {setpoint[name]:g}" for name in ("novelty_on", "novelty_off"))
        yield "alarm_points:"
        for furnace_id in self.furnaces:
            yield "- alarm_class: novelty"
            yield f"  equipment_path: {json.dumps(furnace_id)}"
            yield f"  setpoint: {{{levels}}}"
            yield f"  setpoint_basis: {json.dumps(self.setpoint_basis)}"


def find_novelty_setpoint(
    watch: SurpriseWatch, span: Span, abnormal: Sequence[Abnormal], false_alarms: float
) -> NoveltyFinding:
    """Find the threshold of novelty for a budget of false alarms.

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
        If there is no novelty, a furnace has had several portraits, or all surprises are alike.
    """
    portraits = watch.portraits(span)
    normal = normal_operation(watch.surprises, abnormal, NOVELTY_RULE, SETTLE_S)
    found = thresholds_by_budget(normal, span, false_alarms)
    return NoveltyFinding(
        span=span,
        furnaces=tuple(watch.surprises.furnaces),
        portraits=portraits,
        normal=normal,
        basis=found[false_alarms],
        thresholds=tuple(found.values()),
    )
