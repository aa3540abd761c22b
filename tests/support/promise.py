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
_NS_PER_S: Final = 1_000_000_000


class Promise:
    """Runs from its making on.

    Parameters
    ----------
    promised_s
        Within how many seconds something shall be so.
    """

    def __init__(self, promised_s: float = PROMISED_S) -> None:
        self._promised_s = promised_s
        self._waited_s = waited_for_processor_s()
        self._began_s = time.monotonic()

    def until(self, condition: Callable[[], object], explain: Callable[[], str]) -> None:
        """Wait for a condition as long as is promised, and as our processes had to wait."""
        while not condition():
            age_s = time.monotonic() - self._began_s
            if age_s > self._promised_s:
                given_s = waited_for_processor_s() - self._waited_s
                assert age_s < self._promised_s + given_s, (
                    f"waited {age_s:.1f} s in vain, {self._promised_s:.0f} s are promised and our "
                    f"processes had to wait for {given_s:.1f} s: {explain()[-2000:]}"
                )
            time.sleep(_POLL_S)


def waited_for_processor_s() -> float:
    """Sum over the threads of our descendants; 0 where the kernel does not tell."""
    waited_ns = 0
    for process in psutil.Process().children(recursive=True):
        for told in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            with suppress(OSError, IndexError):
                waited_ns += int(told.read_text().split()[1])
    return waited_ns / _NS_PER_S
