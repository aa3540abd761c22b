"""An event loop whose time leaps to whatever comes next: minutes of waiting in no time."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from meltwatch_chassis.clock import SystemClock

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")
_NS_PER_S = 1_000_000_000


class _Leaping(selectors.DefaultSelector):
    """Waits for nothing; tells how long it should have."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if not found:
            assert timeout is not None, "nothing will ever happen any more"
            self.now_s += timeout
        return found


class LeapingLoop(asyncio.SelectorEventLoop):
    """A loop for what neither threads nor sockets answer; it is a ``Clock``, too."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now_s

    def monotonic_ns(self) -> int:
        return round(self._leaping.now_s * _NS_PER_S)

    def now_ns(self) -> int:
        return self.monotonic_ns()


def leap(loop: LeapingLoop, work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine to its end, and end what it leaves behind."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(work)


def leaping(test: Callable[_Given, Coroutine[Any, Any, _Result]]) -> Callable[_Given, _Result]:
    """Run an asynchronous test on a loop that leaps: what it waits for costs no time."""

    @functools.wraps(test)
    def run(*given: _Given.args, **named: _Given.kwargs) -> _Result:
        return leap(LeapingLoop(), test(*given, **named))

    return run


class LoopClock(SystemClock):
    """The machine's wall clock, and a monotonic one that leaps where the running loop does."""

    def monotonic_ns(self) -> int:
        return round(asyncio.get_running_loop().time() * _NS_PER_S)
