"""``plant.yaml``: the one file that describes a plant."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import yaml
from meltwatch_schemas.alarm import AlarmPoint, FurnaceId
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
    alarm_points: tuple[AlarmPoint, ...] = Field(default=(), description="The defaults if empty.")
    notes: str = Field(default="", description="For people.")


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
    except OSError as error:
        raise ConfigurationError(f"MELTWATCH_PLANT_FILE: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"{path}:{_line(root, first['loc'])}: {where}: {first['msg']}, got {first['input']!r}"
        ) from error


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
