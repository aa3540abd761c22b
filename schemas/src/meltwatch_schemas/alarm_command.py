"""What operators ask of alarms on the wire, and how they are answered."""

from enum import StrEnum
from typing import Any, ClassVar, Final, Literal

from pydantic import Field

from meltwatch_schemas.bounds import (
    MAX_COMMENT,
    MAX_USER,
    ToldName,
    ToldText,
)
from meltwatch_schemas.instants import UtcTime
from meltwatch_schemas.json_message import AlarmId, KeyedMessage

COMMAND_SCHEMA: Final = "alarm-command/1.0"
RESULT_SCHEMA: Final = "alarm-result/1.0"


class Command(StrEnum):
    """What an operator may ask for."""

    ACK = "ack"
    RESET = "reset"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    OUT_OF_SERVICE = "out_of_service"
    IN_SERVICE = "in_service"
    COMMENT = "comment"
    JUDGE = "judge"
    DECOMMISSION = "decommission"


class Role(StrEnum):
    """Who asks."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"


class AlarmCommand(KeyedMessage):
    """What an operator asks for; every one is answered by a ``CommandResult``."""

    schema_id: ClassVar[str] = COMMAND_SCHEMA

    command_id: str = Field(description="UUID; a repeated one is refused as duplicate.")
    alarm_id: str = Field(description="Which alarm; also the record's key.")
    command: str = Field(
        description="Unknown words are answered, not dropped.",
        json_schema_extra={"enum": [word.value for word in Command]},
    )
    expected_event_id: str | None = Field(default=None, description="Required for ack and reset.")
    user: str = Field(
        description="Who asks.", json_schema_extra={"minLength": 1, "maxLength": MAX_USER}
    )
    role: Role = Field(description="With what right.")
    comment: str | None = Field(
        default=None, description="Free text.", json_schema_extra={"maxLength": MAX_COMMENT}
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="duration_s, one_shot …")
    issued_at: UtcTime = Field(description="When it was asked.")
    via: str | None = Field(
        default=None,
        description="Adapter that speaks for the user.",
        json_schema_extra={"maxLength": MAX_USER},
    )


class ResultCode(StrEnum):
    """Why a command was refused; judged in the order of the contract."""

    OK = "ok"
    MALFORMED = "malformed"
    UNKNOWN_COMMAND = "unknown_command"
    UNKNOWN_ALARM = "unknown_alarm"
    BAD_ARGUMENTS = "bad_arguments"
    NOT_PERMITTED = "not_permitted"
    DUPLICATE = "duplicate"
    STALE = "stale"
    WRONG_STATE = "wrong_state"


class CommandResult(KeyedMessage):
    """The answer to a command."""

    schema_id: ClassVar[str] = RESULT_SCHEMA

    command_id: ToldName | None = Field(description="Of the command, where it could be read.")
    alarm_id: AlarmId = Field(description="Of the command's key; also this record's key.")
    result: Literal["done", "refused"] = Field(description="What became of it.")
    code: ResultCode = Field(description="ok, or why not.")
    detail: ToldText = Field(description="One line: what was expected, what came.")
    event_id: ToldName | None = Field(default=None, description="Of the record that it caused.")
    at: UtcTime = Field(description="Wall clock.")
