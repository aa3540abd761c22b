"""``plant.yaml``: the one file that describes a plant."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

from meltwatch_schemas.alarm import AlarmPoint
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.json_message import FurnaceId
from meltwatch_schemas.point_rules import NOT_SUPPORTED, check_point
from meltwatch_schemas.text import escaped
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.strict_yaml import Document, Place, YamlError, read_yaml


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _refused(_: object) -> object:
    raise ValueError(f"{NOT_SUPPORTED}; leave it out")


def _workable(point: AlarmPoint) -> AlarmPoint:
    try:
        return check_point(point)
    except ContractViolation as error:
        raise ValueError(error.detail) from error


_Unsupported = Annotated[Any, AfterValidator(_refused)]


class PlantFurnace(_Strict):
    """One furnace."""

    id: FurnaceId = Field(description="ISA-95 path, also the Kafka key.")
    name: str = Field(description="What operators call it.")
    video: _Unsupported = Field(default=None, description="Not read yet; refused if given.")
    current: _Unsupported = Field(default=None, description="Not read yet; refused if given.")
    sync_offset_s: float = Field(
        default=0.0,
        ge=-5.0,
        le=5.0,
        description="Delay of brightness after the current while both clocks are right.",
    )
    alarm_points: tuple[Annotated[AlarmPoint, AfterValidator(_workable)], ...] = Field(
        default=(), description="The defaults if empty."
    )
    notes: str = Field(default="", description="For people.")

    @model_validator(mode="after")
    def _own_alarm_points(self) -> Self:
        for point in self.alarm_points:
            if point.equipment_path != self.id:
                raise ValueError(
                    f"expected alarm points of {self.id}, got one of {point.equipment_path}"
                )
        _once("alarm point", (point.alarm_id for point in self.alarm_points))
        return self


class Plant(_Strict):
    """All furnaces of a plant."""

    furnaces: tuple[PlantFurnace, ...] = Field(default=(), description="In display order.")

    @model_validator(mode="after")
    def _unique(self) -> Self:
        _once("furnace", (furnace.id for furnace in self.furnaces))
        return self


def _once(what: str, names: Iterable[str]) -> None:
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise ValueError(f"expected each {what} once, got {', '.join(repeated[:5])} repeatedly")


def read_plant(path: Path | None) -> Plant:
    """Return the plant of a YAML file; no file is a plant without registered furnaces.

    Raises
    ------
    ConfigurationError
        With file and line number of the first thing that is wrong.
    """
    if path is None:
        return Plant()
    try:
        document = read_yaml(path)
        empty = document.value is None
        return Plant.model_validate_json(
            "{}" if empty else document.json(), strict=True, extra="forbid"
        )
    except OSError as error:
        raise ConfigurationError(f"MELTWATCH_PLANT_FILE: {path}: {error}") from error
    except YamlError as error:
        raise ConfigurationError(f"{path}:{error}") from error
    except ValidationError as error:
        raise ConfigurationError(f"{path}:{_explain(error, document)}") from error


def _explain(error: ValidationError, document: Document) -> str:
    """Return line, place and fault of the most helpful error: misspelt before missing keys."""
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    first = faults[0]
    message = first["msg"].removeprefix("Value error, ")
    place: Place = first["loc"]
    setting, _, rest = message.partition(": ")
    steps = setting.split(".")
    if rest and steps[0] in AlarmPoint.model_fields:
        place, message = (*place, *steps), rest
    where = ".".join(str(part) for part in place) or "plant"
    is_shown = isinstance(first["input"], str | float | int) and place == first["loc"]
    got = f", got {first['input']!r:.80}" if is_shown else ""
    return escaped(f"{document.line(place)}: {where}: {message}{got}")
