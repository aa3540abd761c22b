"""``plant.yaml``, which describes a plant, and the roles file: who may do what there."""

from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from meltwatch_schemas.json_message import FurnaceId
from meltwatch_schemas.locale import Locale
from meltwatch_schemas.point_classes import Resolver
from meltwatch_schemas.roles import Roles
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.point_file import WorkablePoint, once, read_checked


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def known_zone(name: str) -> str:
    """Return the name of a time zone that this machine knows.

    Raises
    ------
    ValueError
        If it knows none of that name.
    """
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(
            "expected an IANA time zone such as Asia/Shanghai that this machine knows"
        ) from None
    return name


class PlantFurnace(_Strict):
    """One furnace."""

    id: FurnaceId = Field(description="ISA-95 path, also the Kafka key.")
    name: str = Field(description="What operators call it.")
    video: Any = Field(default=None, description="Its camera: meltwatch_sources reads it.")
    current: Any = Field(default=None, description="Its meter: meltwatch_sources reads it.")
    sync_offset_s: float = Field(
        default=0.0,
        ge=-5.0,
        le=5.0,
        description="Delay of brightness after the current while both clocks are right.",
    )
    alarm_points: tuple[WorkablePoint, ...] = Field(
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
        once("alarm point", (point.alarm_id for point in self.alarm_points))
        return self


class Plant(_Strict):
    """All furnaces of a plant."""

    furnaces: tuple[PlantFurnace, ...] = Field(default=(), description="In display order.")
    credentials_dir: str | None = Field(
        default=None, description="Folder of the logins of sources, one folder a name."
    )
    time_zone: Annotated[str, AfterValidator(known_zone)] | None = Field(
        default=None, description="Where the plant is, as an IANA name; UTC if absent."
    )
    language: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$",
        description="Of its texts, as a BCP 47 tag.",
    )

    @property
    def locale(self) -> Locale:
        """How the plant's people read."""
        zone = ZoneInfo(self.time_zone) if self.time_zone else UTC
        return Locale(zone, self.time_zone, self.language)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        once("furnace", (furnace.id for furnace in self.furnaces))
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
        return read_checked(path, Plant, _make_whole)
    except OSError as error:
        raise ConfigurationError(f"MELTWATCH_PLANT_FILE: {path}: {error}") from error


def read_roles(path: Path | None) -> Roles | None:
    """Return what a roles file says; without one, roles are not checked.

    Raises
    ------
    ConfigurationError
        With file and line number of the first thing that is wrong.
    """
    if path is None:
        return None
    try:
        return read_checked(path, Roles)
    except OSError as error:
        raise ConfigurationError(f"MELTWATCH_ROLES_FILE: {path}: {error}") from error


def _make_whole(plant: dict[str, Any], resolver: Resolver) -> None:
    furnaces = plant.get("furnaces")
    for number, furnace in enumerate(furnaces if isinstance(furnaces, list) else ()):
        if isinstance(furnace, dict):
            resolver.make_whole(furnace, ("furnaces", number), furnace.get("id"))
