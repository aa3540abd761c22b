"""What a backtest found: windows by status, and how it all compares with live."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from meltwatch_core.alarms.system_alarms import PORTRAIT_STALE
from meltwatch_schemas.identifiers import split_alarm_id
from meltwatch_schemas.point_rules import NOVELTY
from meltwatch_schemas.score import ScoreStatus, WindowScore
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from meltwatch_backtester.domain.alarm_comparison import AlarmDifference
from meltwatch_backtester.domain.window_comparison import Comparison, Kind, compare

_FIRST: Final = 20
_JUDGING_NS: Final = 10 * NS_PER_S
"""Of windows this close to the newest live score, live's manager may not have judged all yet."""

_BY_PORTRAIT: Final = frozenset({NOVELTY, PORTRAIT_STALE})
"""Conditions that another portrait changes; it changes no other."""


class ReplayVerdict(StrEnum):
    """How replay and live compare."""

    SAME = "same"
    EXPLAINED = "explained"
    DIFFERENT = "different"
    NOTHING_TO_COMPARE = "nothing_to_compare"


STATEMENTS: Final = {
    ReplayVerdict.SAME: "The replay gives exactly the live windows, verdicts and alarms.",
    ReplayVerdict.EXPLAINED: "The replay differs from live, and every difference is explained.",
    ReplayVerdict.DIFFERENT: "The replay differs from live in a way that nothing explains.",
    ReplayVerdict.NOTHING_TO_COMPARE: (
        "Live left no scores and no alarms of this span to compare with."
    ),
}


@dataclass(frozen=True, slots=True)
class WindowDifference:
    """A window on which replay and live differ."""

    furnace_id: str
    window_end_ns: int
    window_id: str
    detail: str


@dataclass(slots=True)
class FurnaceFindings:
    """The windows of one furnace in numbers.

    Attributes
    ----------
    statuses
        Windows by status.
    skipped
        Window numbers between its windows that had none.
    late
        Its late records.
    kinds
        Kinds of difference that its windows show.
    """

    statuses: Counter[ScoreStatus] = field(default_factory=Counter)
    skipped: int = 0
    late: int = 0
    kinds: set[Kind] = field(default_factory=set)
    last_end_ns: int | None = None


@dataclass(frozen=True, slots=True)
class ExplainedDifference:
    """An alarm with another course, and what explains it."""

    difference: AlarmDifference
    is_explained: bool
    why: str


@dataclass(slots=True)
class Findings:
    """Collected window by window.

    Attributes
    ----------
    with_cuts
        Windows were closed at the recorded cuts.
    furnaces
        By furnace id.
    compared, equal
        Windows that both have, and how many of them are the same.
    largest_logit_difference
        Between verdicts of the same model; None without any.
    largest_novelty_difference
        Between what both say of the same portrait; None without any.
    kinds, first
        How many differences there are of each kind, and the first of them.
    live_models
        Who scored live.
    alarms_compared, alarm_differences
        Alarms that either journal has, and those whose course differs.
    """

    with_cuts: bool
    furnaces: dict[str, FurnaceFindings] = field(
        default_factory=lambda: defaultdict(FurnaceFindings)
    )
    compared: int = 0
    equal: int = 0
    largest_logit_difference: float | None = None
    largest_novelty_difference: float | None = None
    kinds: Counter[Kind] = field(default_factory=Counter)
    first: dict[Kind, list[WindowDifference]] = field(default_factory=lambda: defaultdict(list))
    live_models: set[tuple[str, str, str]] = field(default_factory=set)
    alarms_compared: int = 0
    alarm_differences: list[ExplainedDifference] = field(default_factory=list)

    def note(
        self, score: WindowScore | None, live: WindowScore | None, *, late: int, is_beyond: bool
    ) -> Kind | None:
        """Take the next window number of a furnace; return what kind of difference it shows.

        Parameters
        ----------
        score, live
            The replayed and the live one, where there is one; at least one is.
        late
            Late records of the furnace since its last window.
        is_beyond
            Without a live score: live had not begun, or has not come so far.
        """
        told = score or live
        if told is None:
            raise ValueError("expected a replayed score, a live one or both, got neither")
        furnace = self.furnaces[told.furnace_id]
        furnace.late += late
        if score is not None:
            self._count(furnace, score)
        if live is not None:
            self.live_models.add((live.model.name, live.model.version, live.model.digest))
        comparison = self._compared(score, live, furnace, is_beyond=is_beyond)
        self._add(comparison, furnace, told)
        return comparison.kind

    def note_lost(self, live: WindowScore) -> None:
        """Note that live lacks the window number before one of its scores."""
        self._add(Comparison(Kind.LOST), self.furnaces[live.furnace_id], live)

    def note_alarms(self, compared: int, found: list[ExplainedDifference]) -> None:
        """Add the result of comparing the journals."""
        self.alarms_compared += compared
        self.alarm_differences += found

    def explained(
        self, difference: AlarmDifference, *, is_tried: bool, newest_live_ns: int
    ) -> ExplainedDifference:
        """Say what explains the other course of an alarm, if anything does.

        Parameters
        ----------
        difference
            What differs.
        is_tried
            The alarm point was tried with other thresholds than its own.
        newest_live_ns
            When the newest live score that history holds was published.
        """
        why = "thresholds other than live were tried" if is_tried else ""
        if not why and not difference.live:
            is_young = difference.at_ns > newest_live_ns - _JUDGING_NS
            why = "live may not have judged so far yet" if is_young else ""
        kinds = {kind for kind in self.furnaces[difference.furnace_id].kinds if kind.is_explained}
        if split_alarm_id(difference.alarm_id)[1] not in _BY_PORTRAIT:
            kinds.discard(Kind.OTHER_PORTRAIT)
        if not why and kinds:
            why = f"windows of the furnace differ: {', '.join(sorted(kinds))}"
        return ExplainedDifference(difference, bool(why), why or "nothing explains it")

    @property
    def verdict(self) -> ReplayVerdict:
        """How replay and live compare."""
        alarms = [each.is_explained for each in self.alarm_differences]
        if not all(alarms) or not all(kind.is_explained for kind in self.kinds):
            return ReplayVerdict.DIFFERENT
        if not self.live_models and not self.alarms_compared:
            return ReplayVerdict.NOTHING_TO_COMPARE
        return ReplayVerdict.EXPLAINED if alarms or self.kinds else ReplayVerdict.SAME

    def _count(self, furnace: FurnaceFindings, score: WindowScore) -> None:
        furnace.statuses[score.status] += 1
        if furnace.last_end_ns is not None:
            hops = (score.window_end_ns - furnace.last_end_ns) // PUBLISHED_SPEC.hop_ns
            furnace.skipped += hops - 1
        furnace.last_end_ns = score.window_end_ns

    def _compared(
        self,
        score: WindowScore | None,
        live: WindowScore | None,
        furnace: FurnaceFindings,
        *,
        is_beyond: bool,
    ) -> Comparison:
        if score is None:
            return self._or_late(Comparison(Kind.MISSING), furnace, is_read_alike=True)
        if live is None:
            kind = Kind.NOT_YET_LIVE if is_beyond else Kind.UNEXPECTED
            return self._or_late(Comparison(kind), furnace, is_read_alike=True)
        comparison = compare(score, live, with_cuts=self.with_cuts)
        self.compared += 1
        self.equal += comparison.kind is None
        self.largest_logit_difference = _larger(
            self.largest_logit_difference, comparison.logit_difference
        )
        self.largest_novelty_difference = _larger(
            self.largest_novelty_difference, comparison.novelty_difference
        )
        return self._or_late(comparison, furnace, is_read_alike=score.inputs == live.inputs)

    def _or_late(
        self, comparison: Comparison, furnace: FurnaceFindings, *, is_read_alike: bool
    ) -> Comparison:
        """Take late records as the explanation, unless they were read as live read them."""
        kind = comparison.kind
        if self.with_cuts or kind is None or kind.is_explained:
            return comparison
        if is_read_alike and not furnace.late and Kind.LATE not in furnace.kinds:
            return comparison
        return Comparison(Kind.LATE, comparison.detail or kind.value, comparison.logit_difference)

    def _add(self, comparison: Comparison, furnace: FurnaceFindings, told: WindowScore) -> None:
        kind = comparison.kind
        if kind is None:
            return
        furnace.kinds.add(kind)
        self.kinds[kind] += 1
        if len(self.first[kind]) < _FIRST:
            self.first[kind].append(
                WindowDifference(
                    told.furnace_id, told.window_end_ns, told.window_id, comparison.detail
                )
            )


def _larger(known: float | None, found: float | None) -> float | None:
    return max((each for each in (known, found) if each is not None), default=None)
