"""Child processes: own session, output to a log file, and no life beyond the launcher's.

The same holds for what they start: ``tether.py`` ensures it, whatever kills the launcher.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_TETHER = Path(__file__).with_name("tether.py")
_KILL_WAIT_S = 10.0
_LAST_WORDS_BYTES = 65_536


@dataclass(frozen=True)
class ChildCommand:
    """What to run and where its output goes.

    Attributes
    ----------
    argv
        The program and its arguments.
    environment
        The whole environment of the child; nothing is inherited beside it.
    log
        File that standard output and standard error are appended to.
    mark
        Text in the command line by which the process is recognised after a crash of the launcher.
    telling
        Word that marks the line of its output worth repeating when it fails, where it has one.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    mark: str
    telling: str = ""


class ChildProcess:
    """A running child; start it from a thread that lives as long as the child should.

    The kernel sends the death signal when the *thread* that started the child ends, so a child
    that a pool's thread started would die with the pool.

    Attributes
    ----------
    started_s
        When it started, seconds since 1970 as psutil counts them.
    """

    def __init__(self, command: ChildCommand) -> None:
        command.log.parent.mkdir(parents=True, exist_ok=True)
        tether = [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid())]
        with command.log.open("ab") as log:
            self._log_start = log.tell()
            self._popen = subprocess.Popen(  # noqa: S603 - our own programs, no shell
                [*tether, *command.argv],
                env=dict(command.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.log = command.log
        self.started_s = psutil.Process(self._popen.pid).create_time()
        self.mark = command.mark
        self._telling = command.telling

    @property
    def pid(self) -> int:
        """Process id, which is the id of its group and session too."""
        return self._popen.pid

    def exit_code(self) -> int | None:
        """Give the exit code, negative for a signal, or None while the child runs."""
        return self._popen.poll()

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the child and all that it started in its group."""
        _signal_group(self.pid, number)

    def terminate(self) -> None:
        """Ask the child to end (SIGTERM), frozen or not, without waiting."""
        if self.exit_code() is None:
            self._popen.terminate()
            self.signal_group(signal.SIGCONT)

    def stop(self, grace_s: float) -> int:
        """End the child, by force when it has not ended after the grace period.

        Parameters
        ----------
        grace_s
            Seconds between SIGTERM and SIGKILL.

        Returns
        -------
        The exit code, negative for a signal.
        """
        self.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace_s)
        return self.kill()

    def kill(self) -> int:
        """Kill the child and what is left of its group, and return the exit code."""
        self.signal_group(signal.SIGKILL)
        return self._popen.wait(_KILL_WAIT_S)

    def last_words(self) -> str:
        """Give the most useful line of this child's own output, empty when there is none."""
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            start = self._log_start if self._log_start <= size else 0  # it was emptied meanwhile
            log.seek(max(start, size - _LAST_WORDS_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        told = [line for line in lines if any(character.isalpha() for character in line)]
        errors = [line for line in told if _reads_like_an_error(line)]
        telling = [line for line in told if self._telling and self._telling in line]
        last = (telling or errors or told or [""])[-1]
        return " ".join(last.split()).strip("| ")


def _reads_like_an_error(line: str) -> bool:
    return any(word in line.lower() for word in ("error", "exception", "fatal", "fail"))


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
