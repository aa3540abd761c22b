"""Nothing that a test starts outlives the tests, whatever ends them.

A process of its own waits for the end of pytest, then kills whatever still carries pytest's mark
in its environment: what was started by a test, by a fixture, by a process of theirs, or by one of
xdist's workers. The servers get an environment of their own; those end with whoever started them
(``meltwatch_local_cluster.servers.tether``).

``pytest -p tests.support.survivors`` does it without ``tests/conftest.py``.
"""

import os
import secrets
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

_MARK = "PYTEST_STARTED_BY"


def pytest_configure() -> None:
    """Have whatever this process starts from now on end with it; once a process."""
    marks = os.environ.get(_MARK, "").split()
    own = f"{os.getpid()}-{secrets.token_hex(8)}"
    if any(mark.startswith(f"{os.getpid()}-") for mark in marks):
        return
    guard = [sys.executable, "-I", "-S", __file__, str(os.getpid()), own]
    nothing = subprocess.DEVNULL
    subprocess.run(
        guard,
        stdin=nothing,
        stdout=nothing,
        stderr=nothing,
        env={},
        check=True,
        start_new_session=True,
    )
    os.environ[_MARK] = " ".join([*marks, own])


def _guard(watched: int, mark: str) -> None:
    """Stay behind until a process dies, then kill what carries the mark until nothing does."""
    death = select.poll()
    death.register(os.pidfd_open(watched), select.POLLIN)
    if os.fork():
        return
    death.poll()
    while started := [pid for pid in _processes() if _carries(pid, mark)]:
        for pid in started:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]


def _carries(pid: int, mark: str) -> bool:
    try:
        return mark.encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # it has ended, or is another's
        return False


if __name__ == "__main__":
    _guard(int(sys.argv[1]), sys.argv[2])
