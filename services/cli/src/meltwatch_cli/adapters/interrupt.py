"""Ctrl-C as a question that an endless command asks between two steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


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
