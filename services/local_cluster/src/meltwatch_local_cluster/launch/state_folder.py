"""What a run keeps in its state folder: a lock, a note of its state for others, its logs.

A long run starts new logs and keeps few old ones, so that they never fill a disk.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import IO, Final, Protocol

import psutil
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.run_state import RunState, ServiceState, read_state, write_state

from meltwatch_local_cluster.steps import say

MAX_LOG_BYTES: Final = 16 * 1024 * 1024
KEPT_LOGS: Final = 2
"""Earlier files of a log beside it: ``kafka.log.1`` is the newest of them."""


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


class ProcessGroup(Protocol):
    """Processes that the note tells of."""

    @property
    def states(self) -> Mapping[str, ServiceState]:
        """State of each by name."""
        ...


_WELL = frozenset({"ready", "stopped"})


class StateNote:
    """The state file of a run.

    Parameters
    ----------
    folder
        The run's state folder.
    addresses
        Of ``kafka``, ``redis`` and ``triton``, without passwords.
    prefix
        First part of topics and Redis keys.

    Attributes
    ----------
    groups
        The servers and services that the file tells of; append as they come.
    console
        Address of the web page, once there is one.
    is_complete
        Whether all groups have come: before, the run is not ready whatever its services say.
    """

    def __init__(self, folder: Path, addresses: Mapping[str, str], prefix: str) -> None:
        self.groups: list[ProcessGroup] = []
        self.console: str | None = None
        self.is_complete = False
        self._folder = folder
        self._addresses = addresses
        self._prefix = prefix
        self._launcher = psutil.Process(os.getpid())
        self._written: RunState | None = None
        self._is_told = False

    def write(self) -> RunState:
        """Write the state as it is now where it has changed, and give it.

        A full disk is reported once and tried again at the next call; the run goes on.
        """
        services = {name: state for group in self.groups for name, state in group.states.items()}
        state = RunState(
            kafka=self._addresses["kafka"],
            redis=self._addresses["redis"],
            triton=self._addresses["triton"],
            console=self.console,
            topic_prefix=self._prefix,
            ready=self.is_complete and all(each.state in _WELL for each in services.values()),
            services=services,
            launcher_pid=self._launcher.pid,
            launcher_started=self._launcher.create_time(),
        )
        if state != self._written:
            self._try_to_write(state)
        return state

    def _try_to_write(self, state: RunState) -> None:
        try:
            write_state(self._folder, state)
        except OSError as error:
            if not self._is_told:
                say(f"expected to write {self._folder}, got {error}; 'meltwatch status' is old now")
            self._is_told = True
        else:
            self._written = state
            self._is_told = False


def rotate_logs(folder: Path, max_bytes: int = MAX_LOG_BYTES, kept: int = KEPT_LOGS) -> None:
    """Start each log again that has grown over a bound; on a full disk only old ones are lost.

    The file is copied and emptied, not renamed, so its writer goes on in the same file. The writer
    must have opened it for appending. A line that is written between both is lost.
    """
    for log in folder.glob("*.log"):
        with suppress(OSError):
            if log.stat().st_size > max_bytes:
                _begin_anew(log, kept)


def _begin_anew(log: Path, kept: int) -> None:
    older = [log.with_name(f"{log.name}.{age}") for age in range(1, kept + 1)]
    for newer, old in reversed(list(pairwise(older))):
        if newer.exists():
            newer.replace(old)
    try:
        shutil.copyfile(log, older[0])
    except OSError:
        older[0].unlink(missing_ok=True)
    with log.open("r+b") as file:
        file.truncate()
