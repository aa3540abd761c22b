"""Waiting for a dependency that is away: again and again, ever more slowly, said once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeVar

import structlog
from meltwatch_chassis.errors import TransientError

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_log = structlog.get_logger()
_Result = TypeVar("_Result")


def back_off(
    first_s: float = _FIRST_PAUSE_S, longest_s: float = _LONGEST_PAUSE_S
) -> Iterator[float]:
    """Yield pauses in seconds that double up to a longest one, for ever."""
    pause_s = first_s
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, longest_s)


async def until_done(attempt: Callable[[], Awaitable[_Result]], what: str) -> _Result:
    """Repeat an attempt until it succeeds; nothing may be skipped here.

    The wait has no end because giving up would lose a record; while it lasts reading stands
    still, and the health check says so.

    Parameters
    ----------
    attempt
        Raises ``TransientError`` while its dependency is away; other errors pass through.
    what
        What is attempted, for the two log lines: when it first fails and when it succeeds.
    """
    failures = 0
    for pause_s in back_off():
        try:
            result = await attempt()
        except TransientError as error:
            if failures == 0:
                _log.warning("dependency_lost", attempt=what, error=str(error))
            failures += 1
            await asyncio.sleep(pause_s)
        else:
            if failures:
                _log.info("dependency_recovered", attempt=what, failures=failures)
            return result
    raise AssertionError("unreachable: the back-off never ends")
