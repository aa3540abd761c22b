"""Waiting for what processes and servers do: for the event itself, never for a length of time."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.support.warm_program import Fork

T = TypeVar("T")
LIMIT_S = 120.0
_REST = 3.0
"""Rest for each second of processor time of a probe: who waits leaves the machine to who works."""


def until(
    probe: Callable[[], T | None],
    what: str | Callable[[], object],
    limit_s: float = LIMIT_S,
    every_s: float = 0.05,
) -> T:
    """Probe again and again until there is something true; give it.

    Parameters
    ----------
    probe
        Gives what is waited for.
    what
        Its name, or what tells why it does not come: said if it never does.
    limit_s
        How long to wait: no promise, a machine may be busy with other work.
    every_s
        Between two probes, at least. A dear one, as each command of ours is, waits longer.
    """
    end_s = time.monotonic() + limit_s
    before_s = _worked_s()
    while not (found := probe()):
        if time.monotonic() > end_s:
            said = what if isinstance(what, str) else str(what())[-3000:]
            raise AssertionError(f"waited {limit_s:g} s in vain: {said}")
        time.sleep(max(every_s, _REST * (_worked_s() - before_s)))
        before_s = _worked_s()
    return found


def ended(process: subprocess.Popen[Any] | Fork, log: Path, limit_s: float = LIMIT_S) -> int:
    """Give the exit code of a process that was told to end; one that hangs says where.

    Parameters
    ----------
    process
        One of ours: where it stands is told by Python's fault handler, which ``tests.conftest``
        switches on.
    log
        Where its standard error goes.
    limit_s
        How long to wait: no promise, a machine may be busy with other work.
    """
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        process.wait(limit_s)
        stacks = log.read_text(errors="replace")[-8000:]
    raise AssertionError(f"waited {limit_s:g} s in vain for an end: {stacks}")


def _worked_s() -> float:
    """Processor time of this process and of those that it has waited for, s."""
    return sum(os.times()[:4])
