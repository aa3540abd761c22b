"""From operators' commands to alarm records and results."""

from collections import OrderedDict
from dataclasses import replace
from typing import Final

import structlog
from meltwatch_schemas.alarm_command import AlarmCommand, Command, CommandResult, ResultCode
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.record import OutgoingRecord, RawRecord, read_json
from meltwatch_schemas.roles import Roles
from meltwatch_schemas.topics import Topic

from meltwatch_core.alarms.alarm_state import WrongState
from meltwatch_core.alarms.command import (
    Addressed,
    Refused,
    as_granted,
    examine,
    parse,
    read_addressed,
)
from meltwatch_core.alarms.judgement import is_acknowledged_already, obey
from meltwatch_core.alarms.manager.outgoing import outgoing, said, tombstone
from meltwatch_core.alarms.manager.scribe import Scribe

MAX_IDS: Final = 100_000
_DENIED: Final = ResultCode.NOT_PERMITTED
_JUDGED: Final = frozenset({ResultCode.OK, ResultCode.STALE, ResultCode.WRONG_STATE})


class JudgedCommands:
    """The ids of the last commands that were judged on their merits.

    One that was refused before that (malformed, not permitted …) may come again under its id.

    Parameters
    ----------
    limit
        How many ids are kept.
    """

    def __init__(self, limit: int = MAX_IDS) -> None:
        self._limit = limit
        self._ids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, command_id: str) -> bool:
        """Tell whether a command of this id was judged."""
        return command_id.lower() in self._ids

    def note(self, command_id: str | None, code: ResultCode) -> None:
        """Remember a result."""
        if command_id is None or code not in _JUDGED:
            return
        self._ids[command_id.lower()] = None
        if len(self._ids) > self._limit:
            self._ids.popitem(last=False)


_log = structlog.get_logger()


class CommandDesk:
    """Answers every command that can be answered, and carries out those that are in order.

    Parameters
    ----------
    scribe
        Keeps the alarms.
    roles
        Who may do what; None takes everybody's word for it.
    """

    def __init__(self, scribe: Scribe, roles: Roles | None = None) -> None:
        self._scribe = scribe
        self._roles = roles
        self._judged = JudgedCommands()

    def restore(self, record: RawRecord) -> None:
        """Take over the id of a command that was answered before a restart."""
        try:
            result = read_json(record, CommandResult)
        except Exception as error:  # noqa: BLE001 - whatever it holds, it ends nothing
            _log.error("command_result_refused", offset=record.offset, detail=said(error))
            return
        self._judged.note(result.command_id, result.code)

    def handle_command(self, record: RawRecord, now_ns: int) -> list[OutgoingRecord]:
        """Judge a command; return its result behind the alarm record that it caused, if any."""
        try:
            addressed = read_addressed(record)
        except ContractViolation as refusal:
            return [self._scribe.set_aside(record, Topic.ALARM_COMMANDS, refusal)]
        self._scribe.count(Topic.ALARM_COMMANDS, "answered")
        try:
            with self._scribe.registry.all_or_nothing():
                outcome = self._obey(addressed, now_ns)
        except Exception as error:  # noqa: BLE001 - whatever it holds, it is answered
            _log.error("command_failed", offset=record.offset, error=said(error))
            outcome = Refused(ResultCode.BAD_ARGUMENTS, f"cannot be obeyed: {said(error)}")
        if isinstance(outcome, Refused):
            return [self._answer(addressed, outcome.code, outcome.detail, now_ns)]
        return outcome

    def _obey(self, addressed: Addressed, now_ns: int) -> list[OutgoingRecord] | Refused:
        command = parse(addressed)
        if isinstance(command, Refused):
            return command
        alarm = self._scribe.registry.find(addressed.alarm_id)
        if alarm is None:
            return Refused(ResultCode.UNKNOWN_ALARM, f"no alarm point {addressed.alarm_id}")
        asked, command = command, as_granted(command, self._roles)
        if (refused := examine(command, alarm, command.command_id in self._judged)) is not None:
            return self._denied(asked, refused) if refused.code is _DENIED else refused
        if is_acknowledged_already(alarm, command):
            done = alarm.annunciation.acknowledgement or command.expected_event_id
            detail = f"acknowledged already, {alarm.state}"
            return [self._answer(addressed, ResultCode.OK, detail, now_ns, done)]
        try:
            after = obey(alarm, command, self._scribe.stamp(now_ns))
        except WrongState as error:
            return Refused(ResultCode.WRONG_STATE, str(error))
        event_id = after.record.event_id if after.record else None
        return [
            *self._scribe.keep(alarm, after),
            *self._forget(command),
            self._answer(addressed, ResultCode.OK, f"now {after.state}", now_ns, event_id),
        ]

    def _forget(self, command: AlarmCommand) -> list[OutgoingRecord]:
        """Return the tombstone of an alarm that has just been decommissioned."""
        if command.command != Command.DECOMMISSION:
            return []
        self._scribe.registry.forget(command.alarm_id)
        return [tombstone(Topic.ALARMS, command.alarm_id)]

    def _denied(self, command: AlarmCommand, refused: Refused) -> Refused:
        _log.warning(
            "command_denied",
            alarm_id=command.alarm_id,
            command=command.command,
            command_id=command.command_id,
            user=command.user,
            via=command.via,
            role=command.role.value,
            why=refused.detail,
        )
        if self._roles is None:
            return refused
        role = self._roles.granted(command.user, command.alarm_id)
        return replace(
            refused, detail=f"{refused.detail}; by the roles file {command.user} is {role} here"
        )

    def _answer(
        self,
        addressed: Addressed,
        code: ResultCode,
        detail: str,
        now_ns: int,
        event_id: str | None = None,
    ) -> OutgoingRecord:
        result = CommandResult(
            command_id=addressed.command_id,
            alarm_id=addressed.alarm_id,
            result="done" if code is ResultCode.OK else "refused",
            code=code,
            detail=detail,
            event_id=event_id,
            at=utc_from_ns(now_ns),
        )
        answer = outgoing(Topic.ALARM_RESULTS, addressed.alarm_id, result)
        self._judged.note(addressed.command_id, code)
        return answer
