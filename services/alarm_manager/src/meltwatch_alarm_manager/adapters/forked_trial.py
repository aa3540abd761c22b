"""A trial in a copy of this process: what ends the copy would have ended the manager."""

import os
import signal
import time
import warnings
from collections.abc import Callable
from typing import Final, NoReturn

_LONGEST_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.005


def outlives(attempt: Callable[[], object]) -> bool:
    """Carry something out in a copy of this process, which changes nothing here.

    Parameters
    ----------
    attempt
        What is tried. It must need no other thread: the copy has none.

    Returns
    -------
    False if it ended the copy. A copy that cannot be made, or is not done in time, proves nothing:
    it may wait for a lock that a thread held when it was made.
    """
    try:
        copy = _fork()
    except OSError:
        return True
    if copy == 0:
        _carry_out(attempt)
    last_s = time.monotonic() + _LONGEST_S
    while time.monotonic() < last_s:
        ended, status = os.waitpid(copy, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(_LOOK_EVERY_S)
    os.kill(copy, signal.SIGKILL)
    os.waitpid(copy, 0)
    return True


def _fork() -> int:
    with warnings.catch_warnings():
        # Python 3.12 warns of locks that nobody opens any more: the copy ends in time all the same.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _carry_out(attempt: Callable[[], object]) -> NoReturn:
    """Be the copy: say nothing, run no handler of the process that was copied, end."""
    code = 1
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        attempt()
        code = 0
    except Exception:  # noqa: BLE001 - the manager outlives what can be caught
        code = 0
    finally:
        os._exit(code)
