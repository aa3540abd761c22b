"""The record of a run's processes: with it the next run clears up after a killed launcher.

Processes die with their launcher, but nobody removes the data and the shared memory; and a process
that the launcher saw die may have left others.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from meltwatch_chassis.run_state import FILE_NAME as STATE_FILE

from meltwatch_local_cluster.servers.child import ChildProcess
from meltwatch_local_cluster.servers.shared_memory import remove_regions

RECORD_FILE = "processes.json"
DATA_FOLDER = "data"
_KILL_WAIT_S = 5.0
# psutil derives start times from the boot time, which moves when the clock is set right.
_CLOCK_SLACK_S = 2.0


@dataclass(frozen=True)
class StartedProcess:
    """A process as it was when it started, enough to know it again.

    Attributes
    ----------
    name
        Of the server or service.
    pid
        Process id, which is the id of its group too.
    started_s
        Start time, seconds since 1970.
    mark
        Text in its command line and in those of the processes it starts.
    shared_memory_prefix
        Of its shared memory regions, empty when it has none.
    """

    name: str
    pid: int
    started_s: float
    mark: str
    shared_memory_prefix: str = ""

    def survivors(self) -> Iterator[psutil.Process]:
        """Find the living processes of its group: itself, or orphans that it left."""
        for process in psutil.process_iter():
            try:
                if os.getpgid(process.pid) == self.pid and self._knows(process):
                    yield process
            except (ProcessLookupError, psutil.Error):
                continue

    def _knows(self, process: psutil.Process) -> bool:
        old_enough = process.create_time() >= self.started_s - _CLOCK_SLACK_S
        return old_enough and any(self.mark in part for part in process.cmdline())


class ProcessRecord:
    """The processes of the present run, noted on disk as soon as they start.

    On a full disk the record is not updated and the run goes on: the guards of its processes still
    end them with it.

    Parameters
    ----------
    folder
        The run's state folder.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / RECORD_FILE
        self._started: dict[str, StartedProcess] = {}

    def add_process(self, name: str, child: ChildProcess, shared_memory_prefix: str = "") -> None:
        """Record a process that has just started, in place of an earlier one of that name."""
        self._started[name] = StartedProcess(
            name, child.pid, child.started_s, child.mark, shared_memory_prefix
        )
        draft = self._file.with_suffix(".json.new")
        with suppress(OSError):
            draft.write_text(json.dumps([asdict(started) for started in self._started.values()]))
            draft.replace(self._file)


def clear_leftovers(folder: Path) -> str | None:
    """Kill what a killed launcher left running, and remove its data.

    Parameters
    ----------
    folder
        State folder of a run that is over; the caller holds its lock.

    Returns
    -------
    One line that says what was cleared, None when there was nothing.
    """
    record = folder / RECORD_FILE
    if not record.exists():
        remove_run_files(folder)
        return None
    killed = []
    for started in _read(record):
        survivors = list(started.survivors())
        for process in survivors:
            process.kill()
            killed.append(f"{started.name} (pid {process.pid})")
        psutil.wait_procs(survivors, timeout=_KILL_WAIT_S)
        remove_regions(started.shared_memory_prefix)
    remove_run_files(folder)
    processes = f"killed {', '.join(killed)} and" if killed else "no process was left;"
    return f"the last run in {folder} was killed: {processes} removed its data"


def remove_run_files(folder: Path) -> None:
    """Remove all that a run keeps while it lasts; its logs stay.

    Parameters
    ----------
    folder
        State folder of a run whose processes have ended.
    """
    shutil.rmtree(folder / DATA_FOLDER, ignore_errors=True)
    for name in (STATE_FILE, RECORD_FILE):
        # An interrupt may have come between a draft and its renaming.
        for file in folder.glob(f"{name}*"):
            file.unlink()


def _read(record: Path) -> list[StartedProcess]:
    try:
        return [StartedProcess(**entry) for entry in json.loads(record.read_text())]
    except (ValueError, TypeError):
        return []  # cut off by a power failure, which left no process either
