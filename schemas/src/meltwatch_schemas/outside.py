"""What others report: adapters about alarm records, the plant about its furnaces."""

from enum import StrEnum
from typing import ClassVar, Final, Literal

from pydantic import Field

from meltwatch_schemas.bounds import Name, Text, User
from meltwatch_schemas.instants import UtcTime
from meltwatch_schemas.json_message import AlarmId, KeyedMessage

RECEIPT_SCHEMA: Final = "alarm-receipt/1.0"
FURNACE_STATE_SCHEMA: Final = "furnace-state/1.0"


class AlarmReceipt(KeyedMessage):
    """An adapter says whether it could deliver a record."""

    schema_id: ClassVar[str] = RECEIPT_SCHEMA

    alarm_id: AlarmId = Field(description="Which alarm; also the record's key.")
    event_id: Name = Field(description="Of the record.")
    adapter: User = Field(description="Who says so.")
    delivered_at: UtcTime = Field(description="When.")
    status: Literal["delivered", "failed"] = Field(description="What became of it.")
    detail: Text = Field(default="", description="One line.")


class FurnaceStateWord(StrEnum):
    """What a furnace is doing."""

    OFF = "off"
    HEATING = "heating"
    MELTING = "melting"
    TAPPING = "tapping"
    ELECTRODE_CHANGE = "electrode_change"
    MAINTENANCE = "maintenance"


class FurnaceState(KeyedMessage):
    """What a furnace is doing, as the plant says."""

    schema_id: ClassVar[str] = FURNACE_STATE_SCHEMA
    key_field: ClassVar[str | None] = None

    state: FurnaceStateWord = Field(description="One of the words.")
    since: UtcTime = Field(description="From when on.")
    by: User = Field(description="Who says so.")
