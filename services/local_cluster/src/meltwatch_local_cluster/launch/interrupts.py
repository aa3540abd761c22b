"""Ctrl-C, SIGTERM and a closed terminal end a run in the same way, once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Turns the first ending signal into ``KeyboardInterrupt`` in the main thread.

    Further ones are ignored: each step of the way down is bounded. A signal that this process was
    told to ignore at its start (``nohup``) stays ignored, but for SIGINT, which shells make every
    background job ignore. Not by the mask of signals: another thread would take what it blocks.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._is_held = False
        self._has_come = False

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in _ENDING}
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN or number is signal.SIGINT:
                signal.signal(number, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def hold(self) -> None:
        """Hold back signals from now on, until ``release``."""
        self._is_held = True

    def release(self) -> None:
        """Let signals in again: one that waits interrupts here."""
        self._is_held = False
        if self._has_come:
            self.ignore()
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Finish the block before a signal that comes meanwhile interrupts."""
        self.hold()
        try:
            yield
        finally:
            self._is_held = False
        self.release()

    def ignore(self) -> None:
        """Ignore all further signals."""
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._has_come = True
        if not self._is_held:
            self.ignore()
            raise KeyboardInterrupt
