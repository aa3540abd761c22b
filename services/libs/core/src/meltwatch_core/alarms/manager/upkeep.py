"""What becomes due by itself: shelvings that run out, suppression by design, alarms told again.

All of it follows from the last record of an alarm, its alarm point and the wall clock. So it does
not matter who led when it became due: the next tick makes up for it.
"""

from collections.abc import Callable, Iterator
from typing import Final

from meltwatch_schemas.alarm import SEVERITY, AlarmRecord, AlarmState
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.instants import ns_from_utc, utc_from_ns
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.alarms.alarm import CLOCK, Alarm, followed
from meltwatch_core.alarms.alarm_state import Given, Rules, Trigger, step
from meltwatch_core.alarms.judgement import under_rules
from meltwatch_core.alarms.manager.scribe import Scribe
from meltwatch_core.alarms.snapshot import Remark, Stamp, covered, remarked, told_again

_ANNOUNCED: Final = frozenset({AlarmState.UNACK, AlarmState.ACKED})


class Upkeep:
    """Looks after the alarms between scores and commands.

    Parameters
    ----------
    scribe
        Keeps the alarms.
    rules
        Tells of an alarm point what suppresses it by design while its condition holds.
    """

    def __init__(self, scribe: Scribe, rules: Callable[[AlarmPoint], Rules]) -> None:
        self._scribe = scribe
        self._rules = rules

    def tick(self, now_ns: int) -> Iterator[OutgoingRecord]:
        """Do what is due; give what must be written because of it."""
        yield from self._unshelve(now_ns)
        yield from self._suppress(now_ns)
        yield from self._tell_again(now_ns)

    def _unshelve(self, now_ns: int) -> Iterator[OutgoingRecord]:
        now = utc_from_ns(now_ns)
        for alarm in self._scribe.registry.shelved():
            shelve = alarm.facts.shelve
            if shelve is not None and shelve.until <= now:
                after = expire(alarm, self._scribe.stamp(now_ns))
                yield from self._scribe.keep(alarm, after)

    def _suppress(self, now_ns: int) -> Iterator[OutgoingRecord]:
        for alarm in self._scribe.registry.active():
            after = follow_rules(alarm, self._rules(alarm.point), self._scribe.stamp(now_ns))
            yield from self._scribe.keep(alarm, after)

    def _tell_again(self, now_ns: int) -> Iterator[OutgoingRecord]:
        for alarm in self._scribe.registry.active():
            yield from self._scribe.keep(alarm, tell_again(alarm, self._scribe.stamp(now_ns)))


def expire(alarm: Alarm, stamp: Stamp) -> Alarm:
    """Return an alarm whose shelving has run out: announced anew if its condition holds."""
    given = Given(now=utc_from_ns(stamp.at_ns))
    facts = step(alarm.facts, Trigger.EXPIRE, alarm.point, given)
    return followed(alarm, covered(alarm, facts, Remark(CLOCK), stamp))


def follow_rules(alarm: Alarm, rules: Rules, stamp: Stamp) -> Alarm:
    """Return an active alarm under what suppresses it by design now.

    If nothing suppresses it any more, it is announced anew. If nothing has changed, it is the same.
    """
    facts = under_rules(alarm.facts, rules, alarm.point)
    if facts == alarm.facts:
        return alarm
    is_more = bool(facts.rules - alarm.facts.rules)
    cause = Trigger.SUPPRESS if is_more else Trigger.UNSUPPRESS
    return followed(alarm, remarked(alarm, facts, Remark(cause.value), stamp))


def tell_again(alarm: Alarm, stamp: Stamp) -> Alarm:
    """Return an active alarm, announced again if it is due; else the same.

    It is due when an operator who has acknowledged it has had ``re_alarm_s``, or when its alarm
    point has a higher priority than the one that was announced.
    """
    record = alarm.record
    if record is None or alarm.state not in _ANNOUNCED:
        return alarm
    is_higher = SEVERITY[alarm.point.priority] > record.severity
    if not is_higher and not _is_due_again(record, alarm.point, stamp.at_ns):
        return alarm
    facts = step(alarm.facts, Trigger.REALARM, alarm.point)
    return followed(alarm, told_again(alarm, facts, stamp, by_timer=not is_higher))


def _is_due_again(record: AlarmRecord, point: AlarmPoint, now_ns: int) -> bool:
    if point.re_alarm_s is None or record.ack_time is None:
        return False
    most = point.re_alarm_count_max
    is_left = most is None or (record.re_alarms or 0) < most
    waited_ns = now_ns - ns_from_utc(record.ack_time)
    return record.acked and is_left and waited_ns >= point.re_alarm_s * NS_PER_S
