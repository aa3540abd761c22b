"""JSON messages on the wire: strict to read, tolerant of fields that are not known."""

from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, WithJsonSchema

from meltwatch_schemas.identifiers import MAX_BYTES, is_path


def _alarm_id(text: str) -> str:
    if "/" not in text or not is_path(text):
        raise ValueError(f"expected '<furnace id>/<CONDITION>', got {text[:80]!r}")
    return text


def _furnace_id(text: str) -> str:
    if not is_path(text):
        raise ValueError(f"expected levels of [A-Za-z0-9._-] joined by '/', got {text[:80]!r}")
    return text


_LEVEL: Final = "[A-Za-z0-9._-]{1,64}"
FURNACE_ID_SCHEMA: Final[dict[str, Any]] = {
    "type": "string",
    "pattern": f"^{_LEVEL}(/{_LEVEL})*$",
    "maxLength": MAX_BYTES,
}
"""What JSON Schema can say of a furnace id."""
ALARM_ID_SCHEMA: Final = FURNACE_ID_SCHEMA | {"pattern": f"^{_LEVEL}(/{_LEVEL})+$"}
"""What JSON Schema can say of an alarm id."""

AlarmId = Annotated[str, AfterValidator(_alarm_id), WithJsonSchema(ALARM_ID_SCHEMA)]
FurnaceId = Annotated[str, AfterValidator(_furnace_id), WithJsonSchema(FURNACE_ID_SCHEMA)]


_ABSENT_IF_NONE: Final = ("run_id", "traceparent")


def is_none(value: object) -> bool:
    """Tell of a field that it says nothing: it is left out where records were without it before."""
    return value is None


class Message(BaseModel):
    """A JSON message: readers ignore fields that they do not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    def to_json(self) -> bytes:
        """Return UTF-8 JSON; times are RFC 3339 UTC with microseconds.

        ``run_id`` and ``traceparent`` are left out where there is none: their presence means
        something.
        """
        absent = {name for name in _ABSENT_IF_NONE if getattr(self, name, None) is None}
        return self.model_dump_json(by_alias=True, exclude=absent).encode()

    @classmethod
    def from_json(cls, value: bytes) -> Self:
        """Return the message of UTF-8 JSON bytes.

        Nothing is converted silently: a number in quotes is a wrong type.

        Raises
        ------
        pydantic.ValidationError
            If a field is missing or wrong.
        """
        return cls.model_validate_json(value, strict=True)


class KeyedMessage(Message):
    """A JSON message that is the value of a Kafka record.

    Attributes
    ----------
    schema_id
        Value of the ``schema`` header.
    key_field
        The field that repeats the record's key; None where the key stands beside the message.
    """

    schema_id: ClassVar[str]
    key_field: ClassVar[str | None] = "alarm_id"
