"""The notify gateway of a run: people are told of its alarms by the channels of a file."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from meltwatch_chassis.errors import ConfigurationError

SERVICE: Final = "notify_gateway"
_CHANNELS: Final = "MELTWATCH_CHANNELS_FILE"


def check_notify(file: Path) -> None:
    """Refuse a run that could tell nobody; what stands in the file the gateway itself checks.

    Raises
    ------
    ConfigurationError
        If the gateway is not installed, or the file is not there.
    """
    if find_spec(f"meltwatch_{SERVICE}") is None:
        raise ConfigurationError(
            "--notify: expected the package meltwatch-notify-gateway, found none; "
            "`make run NOTIFY=channels.yaml` installs it"
        )
    if not file.is_file():
        raise ConfigurationError(
            f"--notify: expected a channel file, got {file}; see docs/notify.md"
        )


def notify_environment(file: Path) -> Mapping[str, str]:
    """Return the further variables of the gateway."""
    return {_CHANNELS: str(file.absolute())}
