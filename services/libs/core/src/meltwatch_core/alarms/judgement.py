"""What a score or a command does to an alarm: a new record is the only effect."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from meltwatch_schemas.alarm import (
    AlarmCommand,
    AlarmJudgement,
    AlarmRecord,
    AlarmVerdict,
    Command,
    utc_from_ns,
)

from meltwatch_core.alarms.alarm import Alarm, ReceivedScore, followed, restore
from meltwatch_core.alarms.alarm_state import Facts, Trigger, WrongState, step
from meltwatch_core.alarms.command import missed_of
from meltwatch_core.alarms.condition import Due, decided, due, observe
from meltwatch_core.alarms.snapshot import (
    Occasion,
    Remark,
    Stamp,
    acknowledged,
    cleared,
    cleared_by_clock,
    decommissioned,
    raised,
    raised_by_clock,
    remarked,
    requalified,
)
from meltwatch_core.alarms.trust import QualityCount, quality_of


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


def judge(alarm: Alarm, received: ReceivedScore, stamp: Stamp, *, is_masked: bool = False) -> Alarm:
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
    is_masked
        A parent stands: a raise is not announced.

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
        return _decide(alarm, received, change, stamp, is_masked=is_masked)
    if alarm.facts.retain and alarm.quality_count.tells(alarm.quality):
        told = followed(alarm, requalified(alarm, received, stamp))
        return replace(told, quality_count=QualityCount())
    return alarm


def _decide(
    alarm: Alarm, received: ReceivedScore, change: Due, stamp: Stamp, *, is_masked: bool
) -> Alarm:
    if alarm.condition.active:
        record = cleared(alarm, received, change, _after_clear(alarm), stamp)
    else:
        facts = _after_raise(alarm, is_masked=is_masked)
        record = raised(alarm, received, change, facts, stamp)
    # By the function that reads records after a restart, so that both give the same alarm.
    return replace(restore(alarm, record), condition=decided(alarm.condition))


def announce(alarm: Alarm, occasion: Occasion, stamp: Stamp, *, is_masked: bool) -> Alarm:
    """Return an alarm that the clock raises."""
    facts = _after_raise(alarm, is_masked=is_masked)
    return restore(alarm, raised_by_clock(alarm, occasion, facts, stamp))


def withdraw(alarm: Alarm, occasion: Occasion, stamp: Stamp) -> Alarm:
    """Return an alarm that the clock clears."""
    return restore(alarm, cleared_by_clock(alarm, occasion, _after_clear(alarm), stamp))


def suppress(alarm: Alarm, stamp: Stamp) -> Alarm:
    """Return an alarm whose parent stands."""
    return _covered(alarm, Trigger.SUPPRESS, stamp)


def unsuppress(alarm: Alarm, stamp: Stamp) -> Alarm:
    """Return an alarm whose parent has ended: announced anew if its condition holds."""
    return _covered(alarm, Trigger.UNSUPPRESS, stamp)


def _covered(alarm: Alarm, trigger: Trigger, stamp: Stamp) -> Alarm:
    facts = step(alarm.facts, trigger, alarm.point)
    return followed(alarm, remarked(alarm, facts, Remark(trigger.value), stamp))


def _after_raise(alarm: Alarm, *, is_masked: bool) -> Facts:
    facts = step(alarm.facts, Trigger.RAISE, alarm.point)
    if is_masked and not facts.masked:
        facts = step(facts, Trigger.SUPPRESS, alarm.point)
    return facts


def _after_clear(alarm: Alarm) -> Facts:
    return step(alarm.facts, Trigger.CLEAR, alarm.point)


def obey(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> Alarm:
    """Return the alarm after a command that was found in order.

    Raises
    ------
    WrongState
        If the alarm's state does not allow it, or the command is not supported yet.
    """
    action = _ACTIONS.get(Command(command.command))
    if action is None:
        raise WrongState(f"{command.command}: not supported yet by this alarm manager")
    return followed(alarm, action(alarm, command, stamp))


def is_acknowledged_already(alarm: Alarm, command: AlarmCommand) -> bool:
    """Tell whether a command in order asks for what a person has done: nothing is left to do."""
    record = alarm.record
    return (
        command.command == Command.ACK
        and record is not None
        and record.ack_by is not None
        and alarm.facts.acked
        and not alarm.facts.masked
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
    )
    return remarked(alarm, alarm.facts, _remark(command), stamp, {"judgement": judgement})


def _decommission(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    return decommissioned(alarm, _remark(command), stamp)


def _annotate(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    return remarked(alarm, alarm.facts, _remark(command), stamp)


def _remark(command: AlarmCommand) -> Remark:
    comment = command.comment or command.arguments.get("reason")
    return Remark(command.command.upper(), command.user, comment, command.via)


_ACTIONS: Final[dict[Command, Callable[[Alarm, AlarmCommand, Stamp], AlarmRecord]]] = {
    Command.ACK: _acknowledge,
    Command.RESET: _reset,
    Command.COMMENT: _annotate,
    Command.JUDGE: _give_verdict,
    Command.DECOMMISSION: _decommission,
}
