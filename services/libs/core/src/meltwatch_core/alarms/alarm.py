"""One alarm: its point, its last record, and its condition, which is judged all the time.

The last record is the state: what is not in it (running delays) comes back by reading scores
again, so nothing else is ever stored.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Self

from meltwatch_schemas.alarm import AlarmRecord, AlarmState, Quality
from meltwatch_schemas.alarm_command import Command
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.instants import ns_from_utc, utc_from_ns
from meltwatch_schemas.locale import NOWHERE, Locale
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.alarms.alarm_state import BY_DESIGN, Facts
from meltwatch_core.alarms.annunciation import Annunciation
from meltwatch_core.alarms.condition import Condition, Sample
from meltwatch_core.alarms.lost_source import telling
from meltwatch_core.alarms.system_alarms import SETPOINT_FOREIGN, SYSTEM_ALARMS, words_of
from meltwatch_core.alarms.trust import QualityCount, quality_of

CLOCK: Final = "CLOCK"
"""Cause of a transition by the manager's wall clock; a replay has none."""
DAY_NS: Final = 24 * 3600 * NS_PER_S
_SUPPRESSED: Final = frozenset({AlarmState.SHLVD, AlarmState.DSUPR, AlarmState.OOSRV})
_MICROSECOND_NS: Final = 1000
MAX_RAISES: Final = 10_000
"""More raises than this within 24 h are not counted."""


@dataclass(frozen=True, slots=True)
class ReceivedScore:
    """A score as the manager received it.

    Attributes
    ----------
    score
        The verdict.
    position
        Its offset in its partition.
    traceparent
        W3C trace context of its record, if any.
    is_foreign
        A set-point of the furnace was made for another ensemble than the one that gave it.
    """

    score: WindowScore
    position: int
    traceparent: str | None = None
    is_foreign: bool = False


Reading = Callable[[ReceivedScore], float | None]
"""What a score says about a condition; nothing if that takes a value that it lacks."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm point and what has happened to it.

    Attributes
    ----------
    point
        Thresholds, delays, texts.
    unregistered
        Nobody has registered the furnace.
    record
        The last one written, or None before the first raise.
    condition
        Decision and running delays.
    raises_ns
        Raise times of the last 24 h, event time, ascending.
    annunciation
        What of it can be acknowledged.
    quality_count
        Windows of another quality than was told.
    locale
        How the plant's people read.
    ended_at
        Where the furnace was judged to when the alarm was decommissioned, if it was: nothing of
        the time before counts.
    """

    point: AlarmPoint
    unregistered: bool = False
    record: AlarmRecord | None = None
    condition: Condition = field(default_factory=Condition)
    raises_ns: tuple[int, ...] = ()
    annunciation: Annunciation = field(default_factory=Annunciation)
    quality_count: QualityCount = field(default_factory=QualityCount)
    locale: Locale = NOWHERE
    ended_at: datetime | None = None

    @property
    def is_calm(self) -> bool:
        """Whether no delay runs, and no window of another quality is counted."""
        condition = self.condition
        return condition.since is None and not condition.votes and not self.quality_count.seen

    @property
    def facts(self) -> Facts:
        """The facts that its last record states."""
        record = self.record
        if record is None:
            return Facts()
        return Facts(
            active=record.active,
            acked=record.acked,
            latched=record.latched,
            shelve=record.shelve,
            rules=frozenset(kind for kind in BY_DESIGN if kind in record.suppressed),
            out_of_service=record.out_of_service,
        )

    @property
    def state(self) -> AlarmState:
        """State on the wire."""
        return self.record.state if self.record else AlarmState.NORM

    @property
    def quality(self) -> Quality:
        """Trust in the input, as last told."""
        return self.record.quality if self.record else Quality.GOOD

    def sample(self, received: ReceivedScore) -> Sample | None:
        """Return what a score says about the condition; nothing if that takes a logit it lacks."""
        level = reading_of(self.point)(received)
        if level is None:
            return None
        score, is_novelty = received.score, self.point.setpoint.novelty_on is not None
        portrait = score.novelty.portrait if is_novelty and score.novelty is not None else None
        return Sample(score.window_end_ns, level, received.position, portrait)

    @property
    def known_until(self) -> datetime | None:
        """End of the last window that the last raise, clear or end rests on, if there is one."""
        # What was never raised rests on no window: its first record came from a command.
        if self.record is None or self.record.raise_time is None:
            return self.ended_at
        window_end = self.record.evidence.window_end
        return window_end if self.ended_at is None else max(window_end, self.ended_at)

    def knows(self, score: WindowScore) -> bool:
        """Tell whether the last raise, clear or end already rests on this window or a later one."""
        known = self.known_until
        return known is not None and utc_from_ns(score.window_end_ns) <= known

    @property
    def shows_quality(self) -> bool:
        """Whether it tells of its input: a process alarm that is not over, suppressed or not."""
        if self.record is None or self.point.condition in SYSTEM_ALARMS:
            return False
        return self.record.active or self.record.latched or not self.record.acked

    def has_told_quality(self, score: WindowScore) -> bool:
        """Tell whether its record already says how good this window or a later one was."""
        end = utc_from_ns(score.window_end_ns)
        return self.record is not None and end <= self.record.times.watermark

    def needed_from(self, position: int) -> int | None:
        """Return the oldest offset that must be read again to go on, if any.

        Parameters
        ----------
        position
            Offset that the partition has been read up to.
        """
        needed = (self.condition, self.quality_count)
        offsets = (each.needed_from(position) for each in needed)
        return min((offset for offset in offsets if offset is not None), default=None)

    def raises_before(self, time_ns: int) -> tuple[int, ...]:
        """Return the raise times within the 24 h before an event time."""
        return tuple(raised for raised in self.raises_ns if raised > time_ns - DAY_NS)


def surprise_of(score: WindowScore) -> float | None:
    """Return how unlike its portrait a furnace is, for an alarm; None where a score cannot say."""
    if score.novelty is None or Reason.PORTRAIT_STALE in score.reasons:
        return None
    return score.novelty.surprise


def reading_of(point: AlarmPoint) -> Reading:
    """Return what tells of a score the level by which an alarm point judges it."""
    words = words_of(point)
    if words is not None:
        return lambda received: math.inf if telling(received.score, words) else -math.inf
    if point.condition == SETPOINT_FOREIGN:
        return _foreign_level
    # Imbalance and novelty count whether or not any model had a verdict.
    if point.setpoint.novelty_on is not None:
        return _surprise
    return _logit if point.setpoint.imbalance_on is None else _imbalance


def _foreign_level(received: ReceivedScore) -> float | None:
    if received.score.logit is None:
        return None
    return math.inf if received.is_foreign else -math.inf


def _imbalance(received: ReceivedScore) -> float | None:
    return received.score.features.imbalance


def _surprise(received: ReceivedScore) -> float | None:
    return surprise_of(received.score)


def _logit(received: ReceivedScore) -> float | None:
    return received.score.logit


@dataclass(slots=True)
class Calm:
    """What stirs an alarm that is calm: no delay of it runs, and no other quality is counted.

    Most scores leave most alarms calm. Such a score changes nothing but which sample is the newest.
    That is noted here, and becomes part of the alarm when somebody looks at it.

    Attributes
    ----------
    point
        The alarm point that it is judged by.
    reading
        What a score says about its condition.
    active
        Its condition holds.
    threshold
        While it holds, a sample below this one stirs it; else one at or above it.
    told
        The quality that it has told, if it tells of any: another one stirs it.
    known_before_ns
        Its record rests on windows that end before this instant, or on later ones.
    heard
        Window end, level and offset of the newest sample, until it is part of the alarm. Of which
        portrait it was counts for running delays alone, and here none runs.
    """

    point: AlarmPoint
    reading: Reading
    active: bool
    threshold: float
    told: Quality | None
    known_before_ns: int
    heard: tuple[int, float, int] | None = None

    @classmethod
    def of(cls, alarm: Alarm) -> Self:
        """Return what stirs a calm alarm."""
        known, setpoint, is_active = alarm.known_until, alarm.point.setpoint, alarm.condition.active
        return cls(
            alarm.point,
            reading_of(alarm.point),
            is_active,
            setpoint.off if is_active else setpoint.on,
            alarm.quality if alarm.shows_quality else None,
            0 if known is None else ns_from_utc(known) + _MICROSECOND_NS,
        )

    def is_stirred(self, level: float | None, received: ReceivedScore) -> bool:
        """Tell whether a score of this level may change more than the newest sample."""
        if self.told is not None and quality_of(received.score) is not self.told:
            return True
        if level is None:
            return False
        is_against = level < self.threshold if self.active else level >= self.threshold
        return is_against and not self.knows(received)

    def knows(self, received: ReceivedScore) -> bool:
        """Tell whether the alarm's record already rests on this window or a later one."""
        return received.score.window_end_ns < self.known_before_ns

    def part_of(self, alarm: Alarm) -> Alarm:
        """Return the alarm with what was heard of it since it became calm."""
        if self.heard is None:
            return alarm
        newest, self.heard = Sample(*self.heard), None
        return replace(alarm, condition=replace(alarm.condition, newest=newest))


def is_raise(record: AlarmRecord) -> bool:
    """Tell whether a record begins an occurrence, by what it says itself.

    By the clock an alarm is raised or its shelving runs out, and then it may be active as well.
    """
    told = record.transition
    if told.cause != CLOCK or not record.active:
        return told.cause == "RAISE"
    if told.from_ not in _SUPPRESSED:
        return True
    return told.to in _SUPPRESSED and record.annunciation_id is None


def is_end(record: AlarmRecord) -> bool:
    """Tell whether a record is the last one of a decommissioned alarm."""
    return record.transition.cause == Command.DECOMMISSION.upper()


def judged_until(record: AlarmRecord) -> datetime | None:
    """Return the event time up to which the furnace was judged, if a record says so.

    One that rests on no window has the wall clock in its place.
    """
    times = record.times
    is_told = record.raise_time is not None or times.watermark != times.event
    return times.watermark if is_told else None


def followed(alarm: Alarm, record: AlarmRecord) -> Alarm:
    """Return the alarm with its next record, in the order of the topic."""
    annunciation = alarm.annunciation.after(record, alarm.record)
    return replace(alarm, record=record, annunciation=annunciation)


def restore(alarm: Alarm, record: AlarmRecord) -> Alarm:
    """Return the alarm as whoever reads its next record knows it: no delay is running."""
    raises_ns = alarm.raises_ns
    if is_raise(record) and record.raise_time is not None:
        raised_ns = ns_from_utc(record.raise_time)
        raises_ns = (*alarm.raises_before(raised_ns), raised_ns)[-MAX_RAISES:]
    condition = Condition(active=record.active)
    return replace(
        followed(alarm, record),
        condition=condition,
        raises_ns=raises_ns,
        quality_count=QualityCount(),
    )
