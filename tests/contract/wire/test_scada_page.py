"""What docs/scada.md shows is what the code says."""

import re

import pytest
from jsonschema import Draft7Validator
from meltwatch_core.alarms.alarm_state import Trigger
from meltwatch_schemas.alarm import AlarmState
from meltwatch_schemas.alarm_command import Command, ResultCode

from tests.support.asyncapi import message_schemas
from tests.support.field_tables import PAGE, examples_in, page_with_tables

TEXT = PAGE.read_text()


def test_the_tables_of_fields_are_what_the_messages_have() -> None:
    assert page_with_tables(TEXT) == TEXT, "run python -m tests.support.field_tables"


@pytest.mark.parametrize("name", ["alarm", "alarm-command", "alarm-result", "heartbeat"])
def test_a_message_that_the_page_shows_is_valid(name: str) -> None:
    schema, example = message_schemas()[name], examples_in(TEXT)[name]

    Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER).validate(example)
    assert set(schema["required"]) <= set(example) <= set(schema["properties"])


def test_the_page_names_every_state_cause_command_and_code() -> None:
    words = set(re.findall(r"`(\w+)`", TEXT))

    causes = {*Trigger} - {Trigger.EXPIRE}  # whose record says CLOCK
    assert {*AlarmState, *causes, *Command, *ResultCode} - words == set()
