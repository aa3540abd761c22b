"""Progress of slow steps on standard error, one line each."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what begins, and how long it took once it is done.

    Parameters
    ----------
    what
        The step in a few words, such as ``fetching Kafka``.
    """
    start_s = time.monotonic()
    say(f"{what} ...")
    yield
    say(f"{what}: done in {time.monotonic() - start_s:.1f} s")


def say(line: str) -> None:
    """Tell people on standard error, at once.

    Parameters
    ----------
    line
        Without the name of the program.
    """
    with suppress(OSError):  # nobody listens any more
        sys.stderr.write(f"meltwatch: {line}\n")
        sys.stderr.flush()
