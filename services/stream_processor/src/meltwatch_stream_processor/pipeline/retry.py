"""Waiting for a dependency that is away: retried more and more slowly, logged once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from meltwatch_chassis.dependencies import KAFKA, Dependencies
from meltwatch_chassis.errors import TransientError
from meltwatch_core.scoring.back_off import back_off

_Result = TypeVar("_Result")


class Retry:
    """Repeats attempts at a dependency until they succeed; nothing may be skipped here.

    Parameters
    ----------
    dependencies
        Told what fails; they log it once, however many attempts there are.
    dependency
        At which.
    """

    def __init__(self, dependencies: Dependencies, dependency: str = KAFKA) -> None:
        self._dependencies = dependencies
        self._dependency = dependency
        self._failing: dict[str, int] = {}

    async def until_done(self, attempt: Callable[[], Awaitable[_Result]], what: str) -> _Result:
        """Repeat an attempt until it succeeds.

        The wait has no end because giving up would lose a record; while it lasts reading stands
        still, and the process is not ready.

        Parameters
        ----------
        attempt
            Raises ``TransientError`` while its dependency is away; other errors pass through.
        what
            What is attempted.
        """
        failures = 0
        try:
            for pause_s in back_off():
                try:
                    return await attempt()
                except TransientError as error:
                    self._failed(what, str(error), is_first=not failures)
                failures += 1
                await asyncio.sleep(pause_s)
        finally:
            if failures:
                self._ended(what)
        raise AssertionError("unreachable: the back-off never ends")

    def _failed(self, what: str, error: str, *, is_first: bool) -> None:
        self._failing[what] = self._failing.get(what, 0) + is_first
        self._dependencies.tell(self._dependency, what, f"{what}: {error}")

    def _ended(self, what: str) -> None:
        """Withdraw the report once no attempt fails any more."""
        self._failing[what] -= 1
        if not self._failing[what]:
            self._dependencies.tell(self._dependency, what, None)
