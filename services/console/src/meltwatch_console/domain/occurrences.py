"""What there is to review: each activation of a process alarm, and what people said of it."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from meltwatch_schemas.alarm import AlarmRecord, Evidence, Priority
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.window import NS_PER_MS
from pydantic import TypeAdapter, ValidationError

from meltwatch_console.domain.roster import area_of

MOST_OCCURRENCES: Final = 10_000
MOST_LISTED: Final = 500
_SELFTEST: Final = "selftest/"
"""Nobody learns from what the self-test raises."""


class ReviewScope(StrEnum):
    """Which occurrences are asked for."""

    NO = "no"
    YES = "yes"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class ReviewVerdict:
    """What a person found out.

    Attributes
    ----------
    word
        true_alarm, false_alarm or unclear.
    cause
        What lay behind it, if it was said.
    by, at_ms
        Who, and when.
    """

    word: str
    cause: str | None
    by: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One activation of a process alarm.

    Attributes
    ----------
    occurrence_id, alarm_id, furnace
        Which.
    title, priority, mode, causes
        Of the alarm point as it was.
    raised_ms, cleared_ms
        Event times; ``cleared_ms`` is None while it stands.
    score, threshold, threshold_off, model
        Of the window that raised it, as far as the first record tells that is known. Score and
        thresholds are None where no score is judged.
    token
        What a judgement of it expects the alarm to be at.
    comment
        The last one.
    verdict
        The last one.
    """

    occurrence_id: str
    alarm_id: str
    furnace: str
    title: str
    priority: Priority
    mode: str
    causes: tuple[str, ...]
    raised_ms: int
    cleared_ms: int | None
    score: float | None
    threshold: float | None
    threshold_off: float | None
    model: str
    token: str
    comment: str | None = None
    verdict: ReviewVerdict | None = None

    def shown(self) -> dict[str, Any]:
        """Return it as browsers are told."""
        return asdict(self)

    def to_json(self) -> bytes:
        """Return it as it is kept beside its evidence."""
        return _KEPT.dump_json(self)


_KEPT: Final = TypeAdapter(Occurrence)


def kept_occurrence(content: bytes) -> Occurrence | None:
    """Return what was kept; None if it is nothing of ours."""
    try:
        return _KEPT.validate_json(content)
    except ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class ReviewQuestion:
    """Which occurrences are asked for; None of a field means all.

    Attributes
    ----------
    judged
        Whether somebody has judged it.
    furnace
        A furnace id, or a level above it.
    area
        Last level but one of the furnace's id.
    priority
        Of the alarm.
    by
        Who judged.
    since_ms, until_ms
        When it was raised; ``until_ms`` not included.
    """

    judged: ReviewScope = ReviewScope.NO
    furnace: str | None = None
    area: str | None = None
    priority: Priority | None = None
    by: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def covers(self, each: Occurrence) -> bool:
        """Tell whether an occurrence is asked for."""
        verdict = each.verdict
        return (
            (
                self.judged is ReviewScope.ALL
                or (verdict is not None) == (self.judged is ReviewScope.YES)
            )
            and (self.furnace is None or f"{each.furnace}/".startswith(f"{self.furnace}/"))
            and (self.area is None or area_of(each.furnace) == self.area)
            and (self.priority is None or each.priority is self.priority)
            and (self.by is None or (verdict is not None and verdict.by == self.by))
            and (self.since_ms is None or each.raised_ms >= self.since_ms)
            and (self.until_ms is None or each.raised_ms < self.until_ms)
        )


class OccurrenceBook:
    """The occurrences that are known: of the alarms topic, and of kept evidence.

    Parameters
    ----------
    most
        How many are kept, the newest.
    """

    def __init__(self, most: int = MOST_OCCURRENCES) -> None:
        self._most = most
        self._known: dict[str, Occurrence] = {}
        self._newest: dict[str, Occurrence] = {}

    def take(self, record: AlarmRecord) -> None:
        """Take a record, the newest of its alarm so far."""
        raised, furnace = record.raise_time, record.equipment_path
        if record.class_ != "process" or record.run_id is not None or raised is None:
            return
        if furnace.startswith(_SELFTEST):
            return
        known = self._known.get(record.occurrence_id) or _first(record, raised)
        self._note(_after(known, record))
        earlier = self._known.get(judged_in(record) or "")
        if earlier is not None and earlier.occurrence_id != known.occurrence_id:
            self._note(replace(earlier, verdict=_verdict(record)))

    def recall(self, kept: Occurrence) -> None:
        """Take one that was kept; what the topic says of it counts more."""
        self._known.setdefault(kept.occurrence_id, kept)
        self._note_newest(kept)

    def get(self, occurrence_id: str) -> Occurrence | None:
        """Return an occurrence, None if it is not known."""
        return self._known.get(occurrence_id)

    def is_newest(self, each: Occurrence) -> bool:
        """Tell whether its alarm has not been raised again since."""
        return self._newest[each.alarm_id].occurrence_id == each.occurrence_id

    def answer(self, asked: ReviewQuestion) -> list[Occurrence]:
        """Return those that are asked for, newest raise first."""
        # A copy, made at once: key figures ask from a thread while records come.
        found = [each for each in list(self._known.values()) if asked.covers(each)]
        return sorted(found, key=lambda each: (-each.raised_ms, each.alarm_id))

    def _note(self, changed: Occurrence) -> None:
        self._known[changed.occurrence_id] = changed
        self._note_newest(changed)
        if len(self._known) > self._most * 1.1:
            self._forget_oldest()

    def _note_newest(self, each: Occurrence) -> None:
        newest = self._newest.get(each.alarm_id)
        if newest is None or newest.raised_ms <= each.raised_ms:
            self._newest[each.alarm_id] = each

    def _forget_oldest(self) -> None:
        kept = sorted(self._known.values(), key=lambda each: each.raised_ms)[-self._most :]
        self._known = {each.occurrence_id: each for each in kept}


def is_by_rule(evidence: Evidence) -> bool:
    """Tell whether currents or a portrait are judged, and no score."""
    return evidence.imbalance_on is not None or evidence.novelty_on is not None


def _first(record: AlarmRecord, raised: datetime) -> Occurrence:
    evidence, model = record.evidence, record.model
    by_rule = is_by_rule(evidence)
    return Occurrence(
        occurrence_id=record.occurrence_id,
        alarm_id=record.alarm_id,
        furnace=record.equipment_path,
        title=record.title,
        priority=record.priority,
        mode=record.mode.value,
        causes=tuple(record.causes or ()),
        raised_ms=ns_from_utc(raised) // NS_PER_MS,
        cleared_ms=None,
        score=None if by_rule else evidence.score,
        threshold=None if by_rule else evidence.threshold,
        threshold_off=None if by_rule else evidence.threshold_off,
        model=f"{model.name} {model.version}",
        token=record.event_id,
    )


def _after(known: Occurrence, record: AlarmRecord) -> Occurrence:
    cleared = None if record.active or record.clear_time is None else record.clear_time
    changes: dict[str, Any] = {
        "token": record.annunciation_id or record.event_id,
        "cleared_ms": None if cleared is None else ns_from_utc(cleared) // NS_PER_MS,
        "comment": record.transition.comment or known.comment,
    }
    if judged_in(record) == known.occurrence_id:
        changes["verdict"] = _verdict(record)
    return replace(known, **changes)


def judged_in(record: AlarmRecord) -> str | None:
    """Return which occurrence the judgement in a record is about, if it is about one."""
    judgement = record.judgement
    if judgement is None or judgement.missed is not None:
        return None
    return judgement.earlier.occurrence_id if judgement.earlier else record.occurrence_id


def _verdict(record: AlarmRecord) -> ReviewVerdict | None:
    judgement = record.judgement
    if judgement is None:
        return None
    at_ms = ns_from_utc(judgement.at) // NS_PER_MS
    return ReviewVerdict(judgement.verdict.value, judgement.cause, judgement.by, at_ms)
