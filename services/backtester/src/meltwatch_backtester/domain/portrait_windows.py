"""Which windows of a furnace may make its portrait, and why the others may not."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from meltwatch_core.portraits.novelty import JUDGED_EVERY, JUDGED_EVERY_NS, is_judged
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.identifiers import split_alarm_id
from meltwatch_schemas.instants import ns_from_utc, utc_from_ns
from meltwatch_schemas.labels import Label, labels_of
from meltwatch_schemas.point_rules import NOVELTY, PROCESS
from meltwatch_schemas.reasons import UNTIMELY, Reason
from meltwatch_schemas.score import ScoreStatus, WindowScore
from meltwatch_schemas.window import INT64_MAX, NS_PER_S, PUBLISHED_SPEC

from meltwatch_backtester.domain.span import Span

FEWEST_WINDOWS: Final = 4 * 3600 * NS_PER_S // JUDGED_EVERY_NS
"""4 h of windows: as many as portraits were made of where they were judged."""
_HARMLESS: Final = UNTIMELY | {Reason.SCORING_LAG, Reason.SYNC_SKEW, Reason.PORTRAIT_STALE}
"""Words beside which the content of both modalities is whole. A word that is not known is none."""


class LeftOut(StrEnum):
    """Why a window does not make a portrait; of several reasons the first counts."""

    MISSING = "missing"
    OTHER_ENCODER = "other_encoder"
    NOT_SCORED = "not_scored"
    NOT_WHOLE = "not_whole"
    EXCEPTED = "excepted"
    ALARM = "alarm"
    HOT = "logit"
    NOT_JOINED = "not_joined"


MEANINGS: Final = {
    LeftOut.MISSING: "without a score",
    LeftOut.OTHER_ENCODER: "of another encoder or window rule than the newest",
    LeftOut.NOT_SCORED: "without a verdict of the ensemble",
    LeftOut.NOT_WHOLE: "camera or meter was missing, or something was wrong with it",
    LeftOut.EXCEPTED: "within a stretch of --except",
    LeftOut.ALARM: "an alarm stood, or was missed",
    LeftOut.HOT: "the ensemble took them for a fault (log-odds 0 or more)",
    LeftOut.NOT_JOINED: "history does not give them any more as they were scored",
}
"""What each reason means, for people."""


class Disturbance(NamedTuple):
    """A stretch in which an alarm stood, or should have; event time, ns UTC.

    Attributes
    ----------
    is_novelty
        It is one of a portrait: it says nothing of windows that were not judged by one.
    """

    span: Span
    is_novelty: bool = False


def disturbances(records: Iterable[AlarmRecord], now_ns: int) -> list[Disturbance]:
    """Return when process alarms of a furnace stood, or were missed.

    What a person has judged a false alarm was normal operation.

    Parameters
    ----------
    records
        Of the furnace, in the order of the topic.
    now_ns
        Until when an alarm has stood that is not over.
    """
    told = [record for record in records if record.class_ == PROCESS]
    labels = labels_of(told, utc_from_ns(now_ns))
    found = {record.occurrence_id: record for record in told if record.raise_time is not None}
    for label in labels:
        found.pop(label.occurrence_id, None)
    return [
        *(_stood(record) for record in found.values()),
        *(_judged(label) for label in labels if label.is_abnormal),
    ]


def _stood(record: AlarmRecord) -> Disturbance:
    over = record.clear_time or record.times.published
    to_ns = INT64_MAX if record.active else ns_from_utc(over)
    _, condition = split_alarm_id(record.alarm_id)
    return Disturbance(Span(ns_from_utc(record.condition_time), to_ns), condition == NOVELTY)


def _judged(label: Label) -> Disturbance:
    _, condition = split_alarm_id(label.source)
    span = Span(ns_from_utc(label.start), ns_from_utc(label.end))
    return Disturbance(span, condition == NOVELTY and bool(label.occurrence_id))


@dataclass(frozen=True, slots=True)
class ChosenWindows:
    """The windows of a span that may make a portrait.

    Attributes
    ----------
    span
        Event times that were asked for.
    ends_ns
        Window ends, ascending, ns UTC.
    encoder_id
        Of their embeddings; None if no score names one.
    left_out
        How many of the other judged windows there were, by reason.
    words
        Reasons that scores give for not being whole, by how many windows.
    """

    span: Span
    ends_ns: tuple[int, ...]
    encoder_id: str | None
    left_out: Counter[LeftOut]
    words: Counter[str]

    def without_lost(self, made: int) -> Counter[LeftOut]:
        """Return what was left out once so many windows were really joined."""
        return self.left_out + Counter({LeftOut.NOT_JOINED: len(self.ends_ns) - made})


class WindowChoice:
    """Chooses windows by their scores; of a window that was published twice the first stands.

    Parameters
    ----------
    furnace_id
        Whose.
    span
        Event times that are asked for.
    excepted
        Stretches that are no normal operation.
    disturbed
        When alarms stood.
    """

    def __init__(
        self,
        furnace_id: str,
        span: Span,
        excepted: Sequence[Span],
        disturbed: Sequence[Disturbance],
    ) -> None:
        self._furnace_id = furnace_id
        self._span = span
        self._excepted = excepted
        self._disturbed = disturbed
        self._words: Counter[str] = Counter()
        self._known: dict[int, _Window] = {}

    def add_score(self, score: WindowScore) -> None:
        """Take a score of the furnace."""
        end_ns = score.window_end_ns
        if end_ns not in self._span or end_ns in self._known:
            return
        if score.furnace_id == self._furnace_id and is_judged(self._furnace_id, end_ns):
            reason = self._why_not(score)
            if reason is LeftOut.NOT_WHOLE:
                self._words.update(_harmful(score) or [score.status.value])
            made_of = None if score.encoder_id is None else (score.encoder_id, score.spec_id)
            self._known[end_ns] = _Window(made_of, reason)

    def chosen(self) -> ChosenWindows:
        """Return the windows that may make a portrait."""
        known = sorted(self._known.items())
        newest = next((w.made_of for _, w in reversed(known) if w.made_of is not None), None)
        left_out: Counter[LeftOut] = Counter()
        ends_ns = []
        for end_ns, window in known:
            is_other = window.made_of not in (None, newest)
            reason = LeftOut.OTHER_ENCODER if is_other else window.reason
            if reason is None:
                ends_ns.append(end_ns)
            else:
                left_out[reason] += 1
        left_out[LeftOut.MISSING] = self._asked() - len(known)
        return ChosenWindows(
            self._span, tuple(ends_ns), newest and newest[0], +left_out, self._words
        )

    def _asked(self) -> int:
        """Return how many judged windows end within the span."""
        spec, name = PUBLISHED_SPEC, self._furnace_id
        first_ns = spec.first_end_after(name, self._span.from_ns - 1)
        ends_ns = range(first_ns, self._span.to_ns, spec.hop_ns)
        first = next(
            (n for n in range(JUDGED_EVERY) if is_judged(name, first_ns + n * spec.hop_ns)), 0
        )
        return len(ends_ns[first::JUDGED_EVERY])

    def _why_not(self, score: WindowScore) -> LeftOut | None:
        if score.logit is None:
            return LeftOut.NOT_SCORED if score.modalities else LeftOut.NOT_WHOLE
        if score.status is not ScoreStatus.SCORED or _harmful(score):
            return LeftOut.NOT_WHOLE
        seen = Span(score.window_end_ns - PUBLISHED_SPEC.lookback_ns, score.window_end_ns + 1)
        if any(_overlap(seen, each) for each in self._excepted):
            return LeftOut.EXCEPTED
        # Such an alarm goes on standing while its portrait is stale, or was retired.
        is_judged_by_one = score.novelty is not None and Reason.PORTRAIT_STALE not in score.reasons
        for each in self._disturbed:
            if _overlap(seen, each.span) and (is_judged_by_one or not each.is_novelty):
                return LeftOut.ALARM
        return LeftOut.HOT if score.logit >= 0 else None


class _Window(NamedTuple):
    """A judged window: its encoder and window rule if it has frames, and why it is left out."""

    made_of: tuple[str, str] | None
    reason: LeftOut | None


def _harmful(score: WindowScore) -> list[str]:
    return [word for word in score.reasons if word not in _HARMLESS]


def _overlap(one: Span, other: Span) -> bool:
    return one.from_ns < other.to_ns and other.from_ns < one.to_ns
