"""The way of a command: from a browser to the alarm manager, and its answer back."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_command import AlarmCommand, Command, CommandResult
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.json_message import AlarmId
from meltwatch_schemas.text import escaped
from meltwatch_schemas.window import NS_PER_S
from pydantic import BaseModel, ConfigDict, Field

from meltwatch_console.domain.identity import ROLE_OF_COMMANDS, Visitor

PATIENCE_S: Final = 5.0
MOST_A_SECOND: Final = 10
MAX_COMMENT: Final = 500
_KEPT: Final = 1_000
_MOST_USERS: Final = 10_000
_log = structlog.get_logger()


class AlarmDesk(Protocol):
    """Passes commands on to the alarm manager."""

    async def ask(self, command: AlarmCommand, within_s: float) -> CommandResult | None:
        """Send a command and return its result, or None if none has come in time."""
        ...


class CommandRequest(BaseModel):
    """What a browser asks for; who asks is never its word."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alarm_id: AlarmId
    command: Command
    command_id: UUID | None = None
    expected_event_id: str | None = Field(default=None, max_length=1_024)
    comment: str | None = Field(default=None, max_length=MAX_COMMENT)
    arguments: dict[str, Any] = Field(default_factory=dict)


class CommandOutcome(Enum):
    """What became of a command, as far as the console knows."""

    DONE = "done"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """What a browser is answered.

    Attributes
    ----------
    outcome
        In a word.
    command_id
        By which the result can be found on the topic.
    result
        Of the alarm manager, if it answered.
    newest
        The alarm as it is now, where the command was refused.
    """

    outcome: CommandOutcome
    command_id: str
    result: CommandResult | None = None
    newest: AlarmRecord | None = None


class PaceBook:
    """Counts the commands of each user within the last second.

    Parameters
    ----------
    clock
        Monotonic time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._users: OrderedDict[str, deque[int]] = OrderedDict()

    def allows(self, user: str) -> bool:
        """Tell whether one more is within the pace, and count it."""
        now_ns = self._clock.monotonic_ns()
        times = self._users.setdefault(user, deque(maxlen=MOST_A_SECOND))
        self._users.move_to_end(user)
        while len(self._users) > _MOST_USERS:
            self._users.popitem(last=False)
        if len(times) == MOST_A_SECOND and now_ns - times[0] < NS_PER_S:
            return False
        times.append(now_ns)
        return True


class Mailbox:
    """Takes commands of visitors.

    Parameters
    ----------
    desk
        Passes them on.
    newest
        Returns the newest record of an alarm.
    clock
        Wall clock.
    """

    def __init__(
        self, desk: AlarmDesk, newest: Callable[[str], AlarmRecord | None], clock: Clock
    ) -> None:
        self._desk = desk
        self._newest = newest
        self._clock = clock
        self._sent: OrderedDict[tuple[str, str], asyncio.Task[CommandAnswer]] = OrderedDict()

    async def send(self, visitor: Visitor, request: CommandRequest, address: str) -> CommandAnswer:
        """Send a command once, and return what became of it.

        A second call with the same ``command_id`` waits for the first one's answer.
        """
        command_id = str(request.command_id or uuid4())
        key = (visitor.user, command_id)
        task = self._sent.get(key)
        if task is None:
            task = asyncio.create_task(self._send(visitor, request, command_id, address))
            self._sent[key] = task
            while len(self._sent) > _KEPT:
                self._sent.popitem(last=False)
        # A browser that leaves does not take back what it has asked for.
        return await asyncio.shield(task)

    async def _send(
        self, visitor: Visitor, request: CommandRequest, command_id: str, address: str
    ) -> CommandAnswer:
        command = AlarmCommand(
            command_id=command_id,
            alarm_id=request.alarm_id,
            command=request.command.value,
            expected_event_id=request.expected_event_id,
            user=visitor.user,
            role=ROLE_OF_COMMANDS[visitor.role],
            comment=request.comment,
            arguments=request.arguments,
            issued_at=utc_from_ns(self._clock.now_ns()),
        )
        said = {
            "command_id": command_id, "alarm_id": request.alarm_id, "command": command.command,
            "user": escaped(visitor.user), "role": command.role, "address": address,
        }  # fmt: skip
        try:
            result = await self._desk.ask(command, PATIENCE_S)
        except (TransientError, FatalError) as error:
            _log.warning("command_not_sent", **said, error=escaped(str(error)))
            return CommandAnswer(CommandOutcome.AWAY, command_id)
        answer = self._answer(command_id, result)
        code = None if result is None else result.code.value
        _log.info("command_answered", **said, outcome=answer.outcome.value, code=code)
        return answer

    def _answer(self, command_id: str, result: CommandResult | None) -> CommandAnswer:
        if result is None:
            return CommandAnswer(CommandOutcome.UNANSWERED, command_id)
        if result.result == "done":
            return CommandAnswer(CommandOutcome.DONE, command_id, result)
        newest = self._newest(result.alarm_id)
        return CommandAnswer(CommandOutcome.REFUSED, command_id, result, newest)
