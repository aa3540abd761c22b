"""What is promised in seconds, and how long our own processes waited for a processor meanwhile.

Where a service says too late that a server is away, either it is at fault or the machine gave it
no time. The sums of its own timeouts and periods are held to the promise by
``tests/unit/readiness``. Beside real servers the kernel tells how long the threads of all that
this test started were ready to run and did not: that much more they are given.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

PROMISED_S: Final = 15.0
_POLL_S: Final = 0.05
_LOOK_S: Final = 0.25
_NS_PER_S: Final = 1_000_000_000


class ProcessorWaits:
    """How long the threads of our descendants were ready to run and did not, since it was made.

    A thread that ends takes along what the kernel has told of it. So what was seen of it is kept.
    """

    def __init__(self) -> None:
        self._begun = _waits_ns()
        self._newest = dict(self._begun)

    def so_far_s(self) -> float:
        """Look, and return the sum; it never falls. 0 where the kernel does not tell."""
        self._newest |= _waits_ns()
        waited_ns = sum(ns - self._begun.get(each, 0) for each, ns in self._newest.items())
        return waited_ns / _NS_PER_S


def _waits_ns() -> dict[Path, int]:
    """By thread of our descendants, since it began."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        for told in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            with suppress(OSError, IndexError):
                found[told] = int(told.read_text().split()[1])
    return found


class Promise:
    """Runs from its making on.

    Parameters
    ----------
    promised_s
        Within how many seconds something shall be so.
    """

    def __init__(self, promised_s: float = PROMISED_S) -> None:
        self._promised_s = promised_s
        self._waits = ProcessorWaits()
        self._began_s = time.monotonic()

    def until(self, condition: Callable[[], object], explain: Callable[[], str]) -> None:
        """Wait for a condition as long as is promised, and as our processes had to wait."""
        looked_s = self._began_s
        while not condition():
            now_s = time.monotonic()
            if now_s - looked_s > _LOOK_S:
                looked_s, given_s = now_s, self._waits.so_far_s()
                age_s = now_s - self._began_s
                assert age_s < self._promised_s + given_s, (
                    f"waited {age_s:.1f} s in vain, {self._promised_s:.0f} s are promised and our "
                    f"processes had to wait for {given_s:.1f} s: {explain()[-2000:]}"
                )
            time.sleep(_POLL_S)
