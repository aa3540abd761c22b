"""One run a folder: the lock that a second run finds taken."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.run_state import read_state


@contextmanager
def owned(folder: Path) -> Iterator[Path]:
    """Own a state folder; the kernel gives it back however this process ends.

    Parameters
    ----------
    folder
        Made when missing.

    Yields
    ------
    The folder as an absolute path.

    Raises
    ------
    ConfigurationError
        If another run owns it, or it cannot be written.
    """
    folder = folder.resolve()
    with _lock_file(folder) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            state = read_state(folder)
            owner = f"process {state.launcher_pid}" if state else "another process"
            raise ConfigurationError(
                f"run: expected no other run in {folder}, {owner} runs one; "
                "stop it, or set MELTWATCH_STATE_DIR to another folder"
            ) from error
        yield folder


def _lock_file(folder: Path) -> IO[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / "lock").open("a")
    except OSError as error:
        raise ConfigurationError(
            f"run: expected a state folder that can be written, got {error}; "
            "set MELTWATCH_STATE_DIR to another folder"
        ) from error
