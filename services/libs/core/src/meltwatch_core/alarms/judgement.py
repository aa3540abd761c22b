"""What a score or a command does to an alarm: a new record is the only effect."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from meltwatch_schemas.alarm import AlarmJudgement, AlarmRecord, AlarmVerdict, OutOfService, Shelve
from meltwatch_schemas.alarm_command import AlarmCommand, Command
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.alarms.alarm import Alarm, ReceivedScore, followed, restore
from meltwatch_core.alarms.alarm_state import (
    NOTHING,
    OWN_RULES,
    Facts,
    Given,
    Rules,
    Suppression,
    Trigger,
    WrongState,
    step,
)
from meltwatch_core.alarms.command import earlier_of, missed_of, reason_of
from meltwatch_core.alarms.condition import Due, decided, due, observe
from meltwatch_core.alarms.snapshot import (
    Occasion,
    Remark,
    Stamp,
    acknowledged,
    cleared,
    cleared_by_clock,
    covered,
    decommissioned,
    raised,
    raised_by_clock,
    remarked,
    requalified,
)
from meltwatch_core.alarms.trust import QualityCount, quality_of

NO_REASON: Final = "none given"


def recall(alarm: Alarm, received: ReceivedScore) -> Alarm:
    """Return the alarm after a score that was judged before a restart.

    Only the delays run: what the score changed is in the alarm's last record already.
    """
    alarm = _with_quality(alarm, received)
    sample = alarm.sample(received)
    if sample is None or alarm.knows(received.score):
        return alarm
    return replace(alarm, condition=observe(alarm.condition, sample, alarm.point.setpoint))


def _with_quality(alarm: Alarm, received: ReceivedScore) -> Alarm:
    if not alarm.shows_quality:
        return (
            alarm if not alarm.quality_count.seen else replace(alarm, quality_count=QualityCount())
        )
    if alarm.has_told_quality(received.score):
        return alarm
    quality = quality_of(received.score)
    count = alarm.quality_count.after(received.position, quality, alarm.quality)
    return replace(alarm, quality_count=count)


def judge(alarm: Alarm, received: ReceivedScore, stamp: Stamp, rules: Rules = frozenset()) -> Alarm:
    """Return the alarm after a score.

    Parameters
    ----------
    alarm
        Before.
    received
        A score newer than all before it of that furnace and model. Without a logit it neither
        raises nor clears an alarm that is judged by it.
    stamp
        Number and time for the record that it may cause.
    rules
        What suppresses the alarm by design while its condition holds: a raise is not announced.

    Returns
    -------
    The alarm; its record is another one if the score raised or cleared it, or if a process alarm
    on an operator's list has seen enough windows of another quality than it told.
    """
    if alarm.knows(received.score):
        return alarm
    alarm = recall(alarm, received)
    change = due(alarm.condition, alarm.point.setpoint) if alarm.sample(received) else None
    if change is not None:
        return _decide(alarm, received, change, stamp, rules)
    if alarm.facts.retain and alarm.quality_count.tells(alarm.quality):
        told = followed(alarm, requalified(alarm, received, stamp))
        return replace(told, quality_count=QualityCount())
    return alarm


def _decide(
    alarm: Alarm, received: ReceivedScore, change: Due, stamp: Stamp, rules: Rules
) -> Alarm:
    if alarm.condition.active:
        record = cleared(alarm, received, change, _after_clear(alarm), stamp)
    else:
        facts = _after_raise(alarm, rules)
        record = raised(alarm, received, change, facts, stamp)
    # By the function that reads records after a restart, so that both give the same alarm.
    return replace(restore(alarm, record), condition=decided(alarm.condition))


def announce(alarm: Alarm, occasion: Occasion, stamp: Stamp, rules: Rules) -> Alarm:
    """Return an alarm that the clock raises."""
    facts = _after_raise(alarm, rules)
    return restore(alarm, raised_by_clock(alarm, occasion, facts, stamp))


def withdraw(alarm: Alarm, occasion: Occasion, stamp: Stamp) -> Alarm:
    """Return an alarm that the clock clears."""
    return restore(alarm, cleared_by_clock(alarm, occasion, _after_clear(alarm), stamp))


def under_rules(facts: Facts, rules: Rules, point: AlarmPoint) -> Facts:
    """Return facts under the rules that the manager itself finds in force."""
    wanted = (facts.rules - OWN_RULES) | rules
    if wanted == facts.rules:
        return facts
    trigger = Trigger.SUPPRESS if wanted - facts.rules else Trigger.UNSUPPRESS
    return step(facts, trigger, point, Given(rules=wanted))


def _after_raise(alarm: Alarm, rules: Rules) -> Facts:
    return under_rules(step(alarm.facts, Trigger.RAISE, alarm.point), rules, alarm.point)


def _after_clear(alarm: Alarm) -> Facts:
    return step(alarm.facts, Trigger.CLEAR, alarm.point)


def obey(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> Alarm:
    """Return the alarm after a command that was found in order.

    Raises
    ------
    WrongState
        If the alarm's state does not allow it.
    """
    return followed(alarm, _ACTIONS[Command(command.command)](alarm, command, stamp))


def is_acknowledged_already(alarm: Alarm, command: AlarmCommand) -> bool:
    """Tell whether a command in order asks for what a person has done: nothing is left to do."""
    record = alarm.record
    return (
        command.command == Command.ACK
        and record is not None
        and record.ack_by is not None
        and alarm.facts.acked
        and not alarm.facts.suppressed
    )


def _acknowledge(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    facts = step(alarm.facts, Trigger.ACK, alarm.point)
    return acknowledged(alarm, facts, _remark(command), stamp)


def _reset(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    facts = step(alarm.facts, Trigger.RESET, alarm.point)
    return remarked(alarm, facts, _remark(command), stamp)


def _give_verdict(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    missed = missed_of(command)
    if missed is not None and alarm.facts.active:
        raise WrongState(f"JUDGE missed: expected an alarm that does not stand, got {alarm.state}")
    judgement = AlarmJudgement(
        verdict=AlarmVerdict(command.arguments.get("verdict", AlarmVerdict.TRUE_ALARM)),
        cause=command.arguments.get("cause"),
        by=command.user,
        at=utc_from_ns(stamp.at_ns),
        missed=missed,
        earlier=earlier_of(command),
    )
    said = {"judgement": judgement}
    if missed is None:
        return remarked(alarm, alarm.facts, _remark(command), stamp, said)
    # What was missed may have been missed by an alarm that was never raised.
    return covered(alarm, alarm.facts, _remark(command), stamp).model_copy(update=said)


def _decommission(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    return decommissioned(alarm, _remark(command), stamp)


def _shelve(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    duration_s = command.arguments.get("duration_s", alarm.point.max_shelve_s)
    shelve = Shelve(
        until=utc_from_ns(stamp.at_ns + round(duration_s * NS_PER_S)),
        by=command.user,
        reason=reason_of(command) or NO_REASON,
        one_shot=command.arguments.get("one_shot", False),
    )
    return _cover(alarm, Trigger.SHELVE, command, stamp, Given(shelve=shelve))


def _unshelve(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    return _cover(alarm, Trigger.UNSHELVE, command, stamp)


def _suppress(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    rules = alarm.facts.rules | {Suppression.COMMANDED}
    return _cover(alarm, Trigger.SUPPRESS, command, stamp, Given(rules=rules))


def _unsuppress(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    rules = alarm.facts.rules - {Suppression.COMMANDED}
    return _cover(alarm, Trigger.UNSUPPRESS, command, stamp, Given(rules=rules))


def _take_out(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    out = OutOfService(
        since=utc_from_ns(stamp.at_ns),
        by=command.user,
        reason=reason_of(command) or NO_REASON,
        work_order=command.arguments["work_order"],
    )
    return _cover(alarm, Trigger.OUT_OF_SERVICE, command, stamp, Given(out_of_service=out))


def _put_back(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    return _cover(alarm, Trigger.IN_SERVICE, command, stamp)


def _cover(
    alarm: Alarm,
    trigger: Trigger,
    command: AlarmCommand,
    stamp: Stamp,
    given: Given = NOTHING,
) -> AlarmRecord:
    facts = step(alarm.facts, trigger, alarm.point, given)
    return covered(alarm, facts, _remark(command), stamp)


def _annotate(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    return remarked(alarm, alarm.facts, _remark(command), stamp)


def _remark(command: AlarmCommand) -> Remark:
    said = command.comment or reason_of(command)
    return Remark(command.command.upper(), command.user, said, command.via)


_ACTIONS: Final[dict[Command, Callable[[Alarm, AlarmCommand, Stamp], AlarmRecord]]] = {
    Command.ACK: _acknowledge,
    Command.RESET: _reset,
    Command.COMMENT: _annotate,
    Command.JUDGE: _give_verdict,
    Command.DECOMMISSION: _decommission,
    Command.SHELVE: _shelve,
    Command.UNSHELVE: _unshelve,
    Command.SUPPRESS: _suppress,
    Command.UNSUPPRESS: _unsuppress,
    Command.OUT_OF_SERVICE: _take_out,
    Command.IN_SERVICE: _put_back,
}
