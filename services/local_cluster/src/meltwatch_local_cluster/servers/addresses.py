"""Free ports of the loopback interface."""

import random
import socket
from contextlib import ExitStack, suppress

from meltwatch_chassis.errors import DependencyUnreachable

LOOPBACK = "127.0.0.1"

# Below the kernel's ephemeral range (32768 and up): there a client that retries while its server
# restarts can be given the server's own port, connect to itself and keep the server from binding.
_LOWEST, _HIGHEST = 20_000, 32_000
_TRIES = 1_000

# Bound as long as this process lives; see ``free_ports``.
_MARKS: list[int] = []


def free_ports(count: int) -> list[int]:
    """Choose distinct ports that nothing listens on, and keep them for this process.

    Between the choice and the server's start, and while a killed server is started again, nothing
    is bound. So that nobody else who chooses by this function takes such a port, in whatever
    process of the machine, the UDP port of the same number is bound as a mark until this process
    ends.

    Parameters
    ----------
    count
        How many, at least 1.

    Returns
    -------
    Ports of 127.0.0.1 between 20000 and 32000, each bound for a moment to see that it is free.

    Raises
    ------
    DependencyUnreachable
        If a thousand tries do not find enough.
    """
    chosen: list[int] = []
    source = random.SystemRandom()
    with ExitStack() as held:
        for _ in range(_TRIES):
            if len(chosen) == count:
                return chosen
            port = source.randint(_LOWEST, _HIGHEST)
            with suppress(OSError):
                held.enter_context(socket.socket()).bind((LOOPBACK, port))
                _mark(port)
                chosen.append(port)
    raise DependencyUnreachable(
        f"expected {count} free ports between {_LOWEST} and {_HIGHEST} on {LOOPBACK}, "
        f"found {len(chosen)}; stop what listens there"
    )


def _mark(port: int) -> None:
    """Keep others from choosing a port; an ``OSError`` if somebody has chosen it."""
    with socket.socket(type=socket.SOCK_DGRAM) as mark:
        mark.bind((LOOPBACK, port))
        _MARKS.append(mark.detach())


def is_free(port: int) -> bool:
    """Tell whether nothing listens on a port of the loopback interface."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
