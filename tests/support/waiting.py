"""Waiting for what processes and servers do: for the event itself, never for a length of time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LIMIT_S = 120.0


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
        Between two probes: more where a probe is dear.
    """
    end_s = time.monotonic() + limit_s
    while not (found := probe()):
        if time.monotonic() > end_s:
            said = what if isinstance(what, str) else str(what())[-3000:]
            raise AssertionError(f"waited {limit_s:g} s in vain: {said}")
        time.sleep(every_s)
    return found
