"""An event loop in a thread of its own, for what must not wait for the main one."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self

from meltwatch_chassis.tasks import unless_set


class LoopThread:
    """Runs a coroutine in a thread from entry to exit, where it is cancelled.

    Parameters
    ----------
    name
        Of the thread.
    work
        Makes the coroutine; called in the thread.
    """

    def __init__(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(unless_set(self._stop, self._work()))
