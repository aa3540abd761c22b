"""What every server has in common: it starts, answers, stops, and its address stays."""

import os
import signal
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_chassis.run_state import ServiceState

from meltwatch_local_cluster.servers.child import ChildCommand, ChildProcess
from meltwatch_local_cluster.servers.shared_memory import remove_regions

_POLL_S = 0.05


class Server(ABC):
    """One server process with its data, log and address in one folder.

    Parameters
    ----------
    folder
        Made when missing. Data in it is kept by ``stop`` and found again by the next ``start``.
    log
        Where the output goes; a file in the folder by default.

    Attributes
    ----------
    shared_memory_prefix
        Of the names of its shared memory regions; empty when it uses none.
    """

    name: ClassVar[str]
    grace_s: ClassVar[float]

    def __init__(self, folder: Path, log: Path | None = None) -> None:
        self.folder = folder.resolve()
        self.log = log or self.folder / f"{self.name}.log"
        self.shared_memory_prefix = ""
        self._child: ChildProcess | None = None

    @property
    @abstractmethod
    def address(self) -> str:
        """What clients connect to; it stays over restarts."""

    @abstractmethod
    def prepare(self) -> None:
        """Download and set up what the server needs, once per machine or checkout."""

    @abstractmethod
    def _command(self) -> ChildCommand:
        """Write the server's configuration and give its command line."""

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether the server serves requests now, by asking its own protocol."""

    @property
    def state(self) -> ServiceState:
        """The process as the state file shows it; a server that ends is not started again."""
        if self._child is None:
            return ServiceState(pid=None, state="starting")
        if self.is_running():
            return ServiceState(pid=self._child.pid, state="ready")
        words = f"ended: {self._child.last_words()} (log: {self.log})"
        return ServiceState(pid=None, state="down", detail=words)

    def is_running(self) -> bool:
        """Tell whether the process lives."""
        return self._child is not None and self._child.exit_code() is None

    def start(self) -> ChildProcess:
        """Start the process and return at once; see ``ChildProcess`` for the thread to use.

        Raises
        ------
        DependencyUnreachable
            If it runs already, or cannot be set up.
        """
        if self.is_running():
            raise DependencyUnreachable(
                f"{self.name}: expected it stopped before a start, but it runs"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._child = ChildProcess(self._command())
        return self._child

    def wait_ready(self, timeout_s: float = 180.0) -> None:
        """Wait until the server answers.

        Parameters
        ----------
        timeout_s
            How long to wait, in seconds.

        Raises
        ------
        DependencyUnreachable
            If it ends before it answers, or does not answer in time; with its last words.
        """
        deadline_s = time.monotonic() + timeout_s
        while not self.answers():
            if not self.is_running():
                raise DependencyUnreachable(self._failure("it ended"))
            if time.monotonic() > deadline_s:
                raise DependencyUnreachable(self._failure(f"no answer after {timeout_s:.0f} s"))
            time.sleep(_POLL_S)

    def _failure(self, what: str) -> str:
        words = self._child.last_words() if self._child else "it was never started"
        expected = f"{self.name}: expected an answer on {self.address}"
        return f"{expected}, {what}: {words} (log: {self.log})"

    def terminate(self) -> None:
        """Ask the process to end, without waiting; ``stop`` waits."""
        if self._child is not None:
            self._child.terminate()

    def stop(self) -> None:
        """End the process, by force after the grace period; keep address and data."""
        if self._child is not None:
            self._child.stop(self.grace_s)
            remove_regions(self.shared_memory_prefix)

    def kill(self) -> None:
        """Kill the process and its children, as a power cut would."""
        if self._child is not None:
            self._child.kill()
            remove_regions(self.shared_memory_prefix)

    def freeze(self) -> None:
        """Freeze the process (SIGSTOP) without closing its connections."""
        if self._child is not None:
            self._child.signal_group(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue a frozen process."""
        if self._child is not None:
            self._child.signal_group(signal.SIGCONT)

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def plain_environment(folder: Path, **extra: str) -> dict[str, str]:
    """Give servers an environment of their own, free of the user's Java and Python settings.

    Parameters
    ----------
    folder
        Temporary files go into its ``tmp``, so that a killed server leaves none elsewhere.
    extra
        Variables to add.
    """
    temporary = folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    base = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "TZ": "UTC"}
    return base | {"HOME": str(Path.home()), "TMPDIR": str(temporary)} | extra
