"""The channel file: by which channels people are told, and how each is used.

It holds passwords. What is wrong with it is therefore said without showing what stands there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, time, timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.point_file import FaultyFile, once, read_checked
from meltwatch_schemas.alarm import Priority
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from meltwatch_notify_gateway.domain.plan import NAG, TOLD, ChannelPlan, QuietHours

MAX_CHANNELS: Final = 32
_ADDRESS: Final = re.compile(r"\S*://\S*")
_PRIORITIES: Final = "critical, high, medium or low"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("expected an IANA time zone such as Asia/Shanghai") from None
    return name


_TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
_Told = Literal[Priority.CRITICAL, Priority.HIGH, Priority.MEDIUM, Priority.LOW]
_Minutes = Annotated[float, Field(ge=0.5, le=1_440)]


class QuietEntry(_Strict):
    """Hours in which nothing but critical alarms is told."""

    from_: _TimeOfDay = Field(alias="from", description="Time of day, such as '22:00'.")
    to: _TimeOfDay = Field(description="Time of day, of the next day if it is before 'from'.")
    time_zone: Annotated[str, AfterValidator(_known_zone)] | None = Field(
        default=None, description="IANA name; UTC if absent."
    )

    @property
    def hours(self) -> QuietHours:
        """When they are."""
        zone = ZoneInfo(self.time_zone) if self.time_zone else UTC
        return QuietHours(time.fromisoformat(self.from_), time.fromisoformat(self.to), zone)


class ChannelEntry(_Strict):
    """One channel: one address, and how it is used."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,32}$", description="In logs and receipts.")
    url: SecretStr = Field(description="Address in Apprise's form; it may hold a password.")
    priorities: tuple[_Told, ...] = Field(
        default=TOLD, min_length=1, description=f"What it tells: {_PRIORITIES}."
    )
    quiet: QuietEntry | None = Field(default=None, description="Critical alarms alone.")
    remind_after_minutes: Mapping[_Told, _Minutes] = Field(
        default_factory=dict, description="By priority, until somebody acknowledges."
    )
    longest: int = Field(default=2_000, ge=60, le=20_000, description="Characters of a message.")

    @property
    def plan(self) -> ChannelPlan:
        """How it is used."""
        nag = {p: timedelta(minutes=minutes) for p, minutes in self.remind_after_minutes.items()}
        quiet = self.quiet.hours if self.quiet else None
        return ChannelPlan(self.name, frozenset(self.priorities), quiet, NAG | nag, self.longest)


class ChannelFile(_Strict):
    """Every channel."""

    channels: tuple[ChannelEntry, ...] = Field(
        min_length=1, max_length=MAX_CHANNELS, description="In any order."
    )

    @model_validator(mode="after")
    def _unique(self) -> Self:
        once("channel", (channel.name for channel in self.channels))
        return self


@dataclass(frozen=True, slots=True)
class NamedFile:
    """Where the channels stand, and what they are.

    Attributes
    ----------
    path
        The file.
    channels
        Its entries.
    """

    path: Path
    channels: tuple[ChannelEntry, ...]


def read_channels(path: Path | None) -> NamedFile:
    """Return the channels of a file.

    Raises
    ------
    ConfigurationError
        With file and line number of the first thing that is wrong, and nothing that stands there.
    """
    if path is None:
        raise ConfigurationError("MELTWATCH_CHANNELS_FILE: expected a channel file, got none")
    try:
        return NamedFile(path, read_checked(path, ChannelFile).channels)
    except OSError as error:
        raise ConfigurationError(f"MELTWATCH_CHANNELS_FILE: {path}: {error}") from None
    except FaultyFile as error:
        said = error.lines[0].removeprefix(f"{path}:").partition(", got ")[0]
        raise ConfigurationError(f"{path}:{_ADDRESS.sub('***', said)}") from None
