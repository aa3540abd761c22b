import pytest
from meltwatch_schemas.alarm import SEVERITY, Priority
from meltwatch_schemas.wording import service_text, state_text, transition_line, without_password

from tests.support.timed_records import alarm_record


def test_a_transition_says_when_what_why_and_who():
    record = alarm_record(
        "f/OVERHEAT",
        "ACKED",
        transition={
            "from": "UNACK",
            "to": "ACKED",
            "cause": "ACK",
            "by": "li",
            "comment": "on my way",
        },
    )

    assert transition_line(record) == (
        "2026-11-22 12:00:01Z  ▲ ACKED  high      f/OVERHEAT  "
        "ACK from UNACK by li (on my way): The shell may be glowing."
    )


@pytest.mark.parametrize(
    ("priority", "shown"),
    [("critical", "◆ RTNUN"), ("high", "▲ RTNUN"), ("medium", "■ RTNUN"), ("low", "● RTNUN")],
)
def test_the_shape_is_the_priority_and_the_word_the_state(priority, shown):
    severity = SEVERITY[Priority(priority)]
    record = alarm_record("f/OVERHEAT", "RTNUN", priority=priority, severity=severity)
    assert state_text(record) == shown


def test_an_unknown_service_state_is_shown_as_it_is():
    assert service_text("confused") == "? confused"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("rediss://ops:secret@r.example:6380/1", "rediss://ops:***@r.example:6380/1"),
        ("redis://:p@ss@r.example:6380", "redis://:***@r.example:6380"),
    ],
)
def test_an_address_is_shown_without_its_password(address, shown):
    assert without_password(address) == shown
