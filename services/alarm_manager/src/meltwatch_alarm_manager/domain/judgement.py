"""What a score or a command does to an alarm: a new record is the only effect."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from meltwatch_schemas.alarm import AlarmCommand, AlarmRecord, Command

from meltwatch_alarm_manager.domain.alarm import Alarm, Sighting, restore
from meltwatch_alarm_manager.domain.alarm_state import Trigger, step
from meltwatch_alarm_manager.domain.condition import Due, decided, due, observe
from meltwatch_alarm_manager.domain.snapshot import (
    Remark,
    Stamp,
    acknowledged,
    cleared,
    raised,
    remarked,
    requalified,
)
from meltwatch_alarm_manager.domain.trust import quality_of
from meltwatch_alarm_manager.errors import WrongState


def recall(alarm: Alarm, sighting: Sighting) -> Alarm:
    """Return the alarm after a score that it had judged in an earlier life of the process.

    Only the delays run: what the score changed is in the alarm's last record already.
    """
    sample = alarm.sample(sighting)
    if sample is None or alarm.knows(sighting.score):
        return alarm
    return replace(alarm, condition=observe(alarm.condition, sample, alarm.point.setpoint))


def judge(alarm: Alarm, sighting: Sighting, stamp: Stamp) -> Alarm:
    """Return the alarm after a score.

    Parameters
    ----------
    alarm
        Before.
    sighting
        A score newer than all before it of that furnace and model. Without a logit it neither
        raises nor clears an alarm that is judged by it.
    stamp
        Number and time for the record that it may cause.

    Returns
    -------
    The alarm; its record is another one if the score raised or cleared it, or changed the
    quality of an alarm that is on an operator's list.
    """
    if alarm.knows(sighting.score):
        return alarm
    alarm = recall(alarm, sighting)
    change = due(alarm.condition, alarm.point.setpoint) if alarm.sample(sighting) else None
    if change is not None:
        return _decide(alarm, sighting, change, stamp)
    if alarm.facts.retain and quality_of(sighting.score) is not alarm.quality:
        return replace(alarm, record=requalified(alarm, sighting, stamp))
    return alarm


def _decide(alarm: Alarm, sighting: Sighting, change: Due, stamp: Stamp) -> Alarm:
    trigger, snapshot = (
        (Trigger.CLEAR, cleared) if alarm.condition.active else (Trigger.RAISE, raised)
    )
    facts = step(alarm.facts, trigger, alarm.point)
    record = snapshot(alarm, sighting, change, facts, stamp)
    condition = decided(alarm.condition)
    return replace(restore(alarm, record), condition=condition)


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
    return replace(alarm, record=action(alarm, command, stamp))


def _acknowledge(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    facts = step(alarm.facts, Trigger.ACK, alarm.point)
    return acknowledged(alarm, facts, _remark(command), stamp)


def _reset(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    facts = step(alarm.facts, Trigger.RESET, alarm.point)
    return remarked(alarm, facts, _remark(command), stamp)


def _annotate(alarm: Alarm, command: AlarmCommand, stamp: Stamp) -> AlarmRecord:
    return remarked(alarm, alarm.facts, _remark(command), stamp)


def _remark(command: AlarmCommand) -> Remark:
    return Remark(command.command.upper(), command.user, command.comment)


_ACTIONS: Final[dict[Command, Callable[[Alarm, AlarmCommand, Stamp], AlarmRecord]]] = {
    Command.ACK: _acknowledge,
    Command.RESET: _reset,
    Command.COMMENT: _annotate,
}
