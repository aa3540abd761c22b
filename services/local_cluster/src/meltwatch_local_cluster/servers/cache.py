"""Where downloads are kept: one folder per user, shared by every checkout."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meltwatch_chassis.errors import ConfigurationError


def cache_folder() -> Path:
    """Give the user's cache folder, ``$XDG_CACHE_HOME/meltwatch`` or ``~/.cache/meltwatch``.

    Raises
    ------
    ConfigurationError
        If it cannot be made.
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(base).expanduser() / "meltwatch"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"cache: expected a folder that can be written, got {error}; set XDG_CACHE_HOME"
        ) from error
    return folder


@contextmanager
def set_up_alone() -> Iterator[None]:
    """Keep two launchers from setting up the same things at once; the second one waits."""
    with (cache_folder() / "set-up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
