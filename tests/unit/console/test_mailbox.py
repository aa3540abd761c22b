"""A command is sent once, in the visitor's name, and its answer is the alarm manager's."""

import asyncio
import json
from dataclasses import replace
from uuid import UUID

import pytest
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.testing import ManualClock
from meltwatch_console.domain.identity import ConsoleRole, Visitor, groups_of, role_of
from meltwatch_console.pipeline.mailbox import (
    CommandOutcome,
    CommandRequest,
    Mailbox,
    PaceBook,
)
from meltwatch_schemas.alarm_command import AlarmCommand, Command, CommandResult
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.window import NS_PER_S
from pydantic import ValidationError

from tests.support.builders import ALARM, NOON_NS, alarm_record

LI = Visitor("li", ConsoleRole.OPERATE)
ID = UUID("0d5e3b1c-4a63-4a0b-9d7a-7e6b0a4c1f22")


class Desk:
    """Answers as told."""

    def __init__(self, code: str | Exception | None) -> None:
        self.code = code
        self.asked: list[AlarmCommand] = []

    async def ask(self, command: AlarmCommand, within_s: float) -> CommandResult | None:
        assert within_s == 5.0
        self.asked.append(command)
        await asyncio.sleep(0)
        if isinstance(self.code, Exception):
            raise self.code
        if self.code is None:
            return None
        return CommandResult.model_validate(
            {
                "command_id": command.command_id, "alarm_id": command.alarm_id,
                "result": "done" if self.code == "ok" else "refused", "code": self.code,
                "detail": "as told", "at": utc_from_ns(NOON_NS),
            }
        )  # fmt: skip


def request(**changes: object) -> CommandRequest:
    told = {"alarm_id": ALARM, "command": "ack", "command_id": str(ID), "comment": "on it"}
    return CommandRequest.model_validate_json(json.dumps(told | changes))


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("ok", CommandOutcome.DONE),
        ("stale", CommandOutcome.REFUSED),
        (None, CommandOutcome.UNANSWERED),
        (TransientError("away"), CommandOutcome.AWAY),
        (FatalError("for good"), CommandOutcome.AWAY),
    ],
)
async def test_the_answer_is_the_alarm_managers(code, outcome):
    desk, newest = Desk(code), alarm_record()
    answer = await Mailbox(desk, lambda _: newest, ManualClock()).send(LI, request(), "1.2.3.4")
    assert (answer.outcome, answer.command_id) == (outcome, str(ID))
    assert answer.newest is (newest if outcome is CommandOutcome.REFUSED else None)
    (sent,) = desk.asked
    assert (sent.user, sent.role, sent.comment) == ("li", "operator", "on it")


async def test_one_command_id_is_one_command_also_while_it_is_under_way():
    desk = Desk("ok")
    mailbox = Mailbox(desk, lambda _: None, ManualClock())
    first, second = await asyncio.gather(*(mailbox.send(LI, request(), "-") for _ in range(2)))
    third = await mailbox.send(LI, request(), "-")
    assert first is second is third
    assert len(desk.asked) == 1
    wang = Visitor("wang", ConsoleRole.OPERATE)
    await mailbox.send(wang, request(), "-")
    assert [each.user for each in desk.asked] == ["li", "wang"], "nobody hears another's answer"


async def test_a_browser_that_leaves_takes_nothing_back():
    desk = Desk("ok")
    mailbox = Mailbox(desk, lambda _: None, ManualClock())
    leaving = asyncio.create_task(mailbox.send(LI, request(), "-"))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    answer = await mailbox.send(LI, request(), "-")
    assert (answer.outcome, len(desk.asked)) == (CommandOutcome.DONE, 1)


async def test_without_an_id_it_gets_one_and_old_ones_are_forgotten():
    desk = Desk("ok")
    mailbox = Mailbox(desk, lambda _: None, ManualClock())
    for _ in range(1_001):
        await mailbox.send(LI, request(command_id=None), "-")
    assert len({each.command_id for each in desk.asked}) == 1_001


@pytest.mark.parametrize(
    "changes",
    [
        {"user": "boss"}, {"role": "engineer"}, {"via": "x"}, {"command": "explode"},
        {"comment": "x" * 501}, {"alarm_id": "x"}, {"command_id": "1"}, {"arguments": []},
    ],
)  # fmt: skip
def test_a_request_holds_nothing_else(changes: dict[str, object]):
    with pytest.raises(ValidationError):
        request(**changes)


def test_ten_a_second_for_each_user():
    clock = ManualClock()
    book = PaceBook(clock)
    assert [book.allows("li") for _ in range(11)] == [True] * 10 + [False]
    assert book.allows("wang")
    clock.advance(NS_PER_S - 1)
    assert not book.allows("li")
    clock.advance(1)
    assert [book.allows("li") for _ in range(11)] == [True] * 10 + [False]
    for number in range(10_001):
        book.allows(f"user {number}")
    assert book.allows("li"), "many users cost bounded memory"


def test_each_role_includes_those_before_it():
    def may(role: ConsoleRole) -> set[Command]:
        return {command for command in Command if Visitor("x", role).may(command)}

    assert may(ConsoleRole.VIEW) == set()
    assert may(ConsoleRole.OPERATE) == {
        Command.ACK, Command.RESET, Command.SHELVE, Command.UNSHELVE, Command.COMMENT,
        Command.JUDGE,
    }  # fmt: skip
    assert may(ConsoleRole.ENGINEER) - may(ConsoleRole.OPERATE) == {
        Command.OUT_OF_SERVICE, Command.IN_SERVICE,
    }  # fmt: skip


def test_the_highest_role_of_the_groups_counts():
    table = groups_of(" ops=operate, /plant/a=b=engineer ,guests=view,")
    assert table["/plant/a=b"] is ConsoleRole.ENGINEER
    assert role_of(["guests", "ops"], table) is ConsoleRole.OPERATE
    assert role_of(["ops", "/plant/a=b"], table) is ConsoleRole.ENGINEER
    assert role_of(["others"], table) is ConsoleRole.VIEW
    assert role_of([], table) is ConsoleRole.VIEW
    for wrong in ("ops", "ops=boss", "=view"):
        with pytest.raises(ValueError, match="expected group=view"):
            groups_of(wrong)


class NamedByTheBrowser(Mailbox):
    """The mutant that lets the browser name the user."""

    async def _send(self, visitor, request, command_id, address):
        named = replace(visitor, user=request.arguments.get("user", visitor.user))
        return await super()._send(named, request, command_id, address)


@pytest.mark.parametrize(("kind", "user"), [(Mailbox, "li"), (NamedByTheBrowser, "boss")])
async def test_the_user_is_the_visitor_whatever_the_browser_says(kind, user):
    desk = Desk("ok")
    mailbox = kind(desk, lambda _: alarm_record(), ManualClock())
    await mailbox.send(LI, request(arguments={"user": "boss"}), "127.0.0.1")
    assert [each.user for each in desk.asked] == [user], "and the mutant is noticed"
    with pytest.raises(ValidationError):
        request(user="boss")
