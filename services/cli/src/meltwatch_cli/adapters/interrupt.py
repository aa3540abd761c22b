"""Ctrl-C while a command starts, while it works, and while it follows something without end."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any, Final

_INTERRUPTED: Final = 130


@contextmanager
def leaving_interrupts() -> Iterator[None]:
    """Let Ctrl-C end the process at once: while modules are imported nothing can be lost.

    As an exception it could come up inside a library, which would log it and go on.
    """

    def leave(_number: int, _frame: FrameType | None) -> None:
        os._exit(_INTERRUPTED)

    with _handled(leave):
        yield


def raising_interrupts() -> AbstractContextManager[None]:
    """Let Ctrl-C raise ``KeyboardInterrupt``, so that a command that works can clean up.

    What it leaves half-made, such as an event loop, complains when it is thrown away: nobody is
    told, the command is over.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        sys.unraisablehook = lambda _: None
        signal.default_int_handler(number, frame)

    return _handled(interrupt)


def end_interrupts() -> None:
    """Hear no Ctrl-C for the rest of the process: how it ends is told, and stands."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    is_ours = threading.current_thread() is threading.main_thread()
    if not is_ours or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield  # a process in the background gets no Ctrl-C: that is for its parent
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interruption() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether Ctrl-C was pressed; pressed again, it kills.

    An exception in the midst of kafka-python's waiting can leave a lock behind for which the
    client's own thread then waits for ever: closing it hangs (seen once in 60 interrupts).
    """
    pressed = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        pressed.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)
