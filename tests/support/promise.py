"""What is promised in seconds, and how late the machine was meanwhile.

Where a service says too late that a server is away, either it is at fault or the machine gave it
no time. The sums of its own timeouts and periods are held to the promise by
``tests/unit/readiness``; beside real servers a machine that is late is given that much more.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, Self

PROMISED_S: Final = 15.0
_NAP_S: Final = 0.05


class Lateness:
    """How much time the machine takes away: a thread that naps, and how much later it wakes."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._nap, name="lateness")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _nap(self) -> None:
        before = time.monotonic()
        while not self._over.wait(_NAP_S):
            now = time.monotonic()
            self.seconds += max(now - before - _NAP_S, 0.0)
            before = now


def until_as_promised(
    condition: Callable[[], object], explain: Callable[[], str], since: float | None = None
) -> float:
    """Wait for a condition as long as is promised, and as the machine is late; return how long.

    Parameters
    ----------
    condition, explain
        What is waited for, and what to say in vain.
    since
        When the time began to run, monotonic; now by default.
    """
    began = time.monotonic() if since is None else since
    with Lateness() as lateness:
        while not condition():
            waited = time.monotonic() - began
            limit = PROMISED_S + lateness.seconds
            assert waited < limit, (
                f"waited {waited:.1f} s in vain ({PROMISED_S} s promised, the machine was late by "
                f"{lateness.seconds:.1f} s): {explain()[-2000:]}"
            )
            time.sleep(_NAP_S)
    return time.monotonic() - began
