"""With a roles file nobody has a right because he says so."""

import pytest
from meltwatch_schemas.roles import Roles
from structlog.testing import capture_logs

from tests.unit.core.alarms.samples import (
    ALARM_ID,
    FURNACE,
    command_fields,
    command_record,
    score,
)
from tests.unit.core.alarms.test_commands import Desk
from tests.unit.core.alarms.topic_log import TopicLog

ROLES = Roles.model_validate_json(
    b"""{"users": {
        "li.wei": {"operator": ["dashiqiao"]},
        "anna": {"engineer": "all"},
        "elsewhere": {"engineer": ["dashiqiao/smelting-1/FMF-0"]}}}"""
)


@pytest.fixture
def desk() -> Desk:
    log = TopicLog(roles=ROLES)
    log.judge([score(number, 3.0) for number in range(4)])
    return Desk(log)


@pytest.mark.parametrize(
    ("user", "said", "code"),
    [
        ("li.wei", "operator", "ok"),
        ("li.wei", "engineer", "ok"),
        ("anna", "operator", "ok"),
        ("li.wei", "viewer", "not_permitted"),
        ("elsewhere", "engineer", "not_permitted"),
        ("mallory", "engineer", "not_permitted"),
        ("LI.WEI", "operator", "not_permitted"),
    ],
)
def test_a_role_counts_as_far_as_it_is_granted(desk: Desk, user: str, said: str, code: str) -> None:
    order = command_fields("ack", desk.event_id, user=user, role=said)
    assert desk.order(order).code == code


def test_an_operator_who_says_engineer_is_none(desk: Desk) -> None:
    arguments = {"reason": "relined", "work_order": "4711"}
    order = command_fields("out_of_service", role="engineer", arguments=arguments)
    answer = desk.order(order)
    assert answer.code == "not_permitted"
    assert answer.detail.endswith("by the roles file li.wei is operator here")


def test_who_is_refused_stands_in_the_answer_and_in_the_log(desk: Desk) -> None:
    order = command_fields("ack", desk.event_id, user="mallory", via="opcua")
    with capture_logs() as logs:
        answer = desk.order(order)

    assert (answer.result, answer.code) == ("refused", "not_permitted")
    (told,) = [log for log in logs if log["event"] == "command_denied"]
    assert (told["user"], told["via"], told["alarm_id"]) == ("mallory", "opcua", ALARM_ID)
    assert (told["role"], told["command"]) == ("operator", "ack")
    assert len(desk.log.alarms()) == 1


def test_records_name_the_person_and_the_adapter(desk: Desk) -> None:
    desk.order(command_fields("ack", desk.event_id, via="opcua"))
    told = desk.log.alarms()[-1].transition
    assert (told.by, told.via) == ("li.wei", "opcua")


@pytest.mark.parametrize("via", ["", "x" * 65, "\x1b[2J", 7])
def test_an_adapter_has_a_name_that_can_be_shown(desk: Desk, via: object) -> None:
    answer = desk.order(command_fields("ack", desk.event_id, via=via))
    assert answer.code in {"bad_arguments", "malformed"}


def test_an_alarm_of_another_furnace_is_anothers() -> None:
    log = TopicLog(roles=Roles(users={"li.wei": {"operator": (FURNACE,)}}))
    log.judge([score(number, 3.0, "a/b/F1") for number in range(4)])
    other = "a/b/F1/OVERHEAT"
    fields = command_fields("ack", log.alarms()[-1].event_id, alarm_id=other)
    desk = Desk(log)
    desk.send(command_record(fields, key=other))
    assert log.alarms()[-1].state == "UNACK"
