"""``plant.yaml``: the one file that describes a plant."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import yaml
from meltwatch_schemas.alarm import AlarmPoint
from meltwatch_schemas.json_message import FurnaceId
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from meltwatch_chassis.errors import ConfigurationError


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class VideoSource(_Strict):
    """Where a furnace's picture comes from."""

    source_id: str = Field(description="Name of the camera in every record.")
    address: str = Field(description="rtsp://…, a file, or simulator:")
    crop: tuple[int, int, int, int] | None = Field(
        default=None, description="left, top, width, height in pixels; the whole frame if absent."
    )
    rotate_degrees: int = Field(default=0, description="0, 90, 180 or 270, clockwise.")


class CurrentSource(_Strict):
    """Where a furnace's electrode currents come from."""

    source_id: str = Field(description="Name of the meter in every record.")
    address: str = Field(description="modbus-tcp://…, a file, or simulator:")


class PlantFurnace(_Strict):
    """One furnace."""

    id: FurnaceId = Field(description="ISA-95 path, also the Kafka key.")
    name: str = Field(description="What operators call it.")
    video: VideoSource | None = Field(default=None, description="Camera.")
    current: CurrentSource | None = Field(default=None, description="Meter.")
    sync_offset_s: float = Field(
        default=0.0,
        ge=-5.0,
        le=5.0,
        description="By how much brightness follows the current while both clocks are right.",
    )
    alarm_points: tuple[AlarmPoint, ...] = Field(default=(), description="The defaults if empty.")
    notes: str = Field(default="", description="For people.")

    @model_validator(mode="after")
    def _own_alarm_points(self) -> Self:
        for point in self.alarm_points:
            if (point.equipment_path, point.alarm_id) != (self.id, f"{self.id}/{point.condition}"):
                raise ValueError(
                    f"expected alarm points of {self.id}, named <furnace id>/<condition>, "
                    f"got {point.alarm_id} on {point.equipment_path}"
                )
        return self


class Plant(_Strict):
    """All furnaces of a plant."""

    furnaces: tuple[PlantFurnace, ...] = Field(default=(), description="In display order.")

    @model_validator(mode="after")
    def _unique(self) -> Self:
        ids = [furnace.id for furnace in self.furnaces]
        repeated = sorted({name for name in ids if ids.count(name) > 1})
        if repeated:
            raise ValueError(f"expected each furnace once, got {', '.join(repeated)} repeatedly")
        return self


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
        text = path.read_text()
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        return Plant.model_validate(yaml.safe_load(text) or {})
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"MELTWATCH_PLANT_FILE: {path}: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise ConfigurationError(f"{path}:{_explain(error, root)}") from error


def _explain(error: ValidationError, root: yaml.Node | None) -> str:
    """Return line, place and fault of the most telling error: a misspelt key before its absence."""
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    first = faults[0]
    where = ".".join(str(part) for part in first["loc"]) or "plant"
    got = "" if isinstance(first["input"], dict) else f", got {str(first['input'])[:80]!r}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{_line(root, first['loc'])}: {where}: {message}{got}"


def _line(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """Return the line of the deepest node on the path that the file has, from 1."""
    line = 1
    for found in _walk(node, path):
        line = found.start_mark.line + 1
    return line


def _walk(node: yaml.Node | None, path: tuple[int | str, ...]) -> Iterator[yaml.Node]:
    for part in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == part), None)
        if node is None:
            return
        yield node
