"""Carries what sources send to Kafka, each record when it is due, until the campaign is over."""

import heapq
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import chain, count
from typing import Final, Self

from tests.chaos.outlet import Outlet
from tests.support.input_records import InputRecord

Due = tuple[int, InputRecord | None]
"""When a record is to be sent, and the record; None where none is."""
_STEP_S: Final = 0.05


class Wind:
    """A thread that sends what is due, all topics together and each piece acknowledged.

    However slow the machine, no source gets behind another one on the way.

    Parameters
    ----------
    kafka, prefix
        Bootstrap servers, and the first part of the topics' names.
    """

    def __init__(self, kafka: str, prefix: str) -> None:
        self._outlet = Outlet(kafka, prefix)
        self._due: list[tuple[int, int, InputRecord | None, Iterator[Due]]] = []
        self._numbers = count()
        self._lock = threading.Lock()
        self._calm = threading.Event()
        self._thread = threading.Thread(target=self._blow)
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.calm()

    def carry(self, *streams: Iterable[Due]) -> None:
        """Send also what these have, each in the order of its instants."""
        with self._lock:
            for stream in streams:
                self._next(iter(stream))

    def calm(self) -> None:
        """Send nothing more."""
        self._calm.set()
        self._thread.join()
        self._outlet.__exit__()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _blow(self) -> None:
        try:
            while not self._calm.wait(_STEP_S):
                self._outlet.send(self._piece(time.time_ns()))
        except Exception as error:  # noqa: BLE001 - told when it is calm
            self._error = error

    def _piece(self, now_ns: int) -> list[InputRecord]:
        piece = []
        with self._lock:
            while self._due and self._due[0][0] <= now_ns:
                _, _, record, stream = heapq.heappop(self._due)
                if record is not None:
                    piece.append(record)
                self._next(stream)
        return piece

    def _next(self, stream: Iterator[Due]) -> None:
        due = next(stream, None)
        if due is not None:
            heapq.heappush(self._due, (due[0], next(self._numbers), due[1], stream))


def parted(stream: Iterator[Due], at_ns: int) -> tuple[list[InputRecord], Iterator[Due]]:
    """What is due up to an instant, and what follows."""
    burst = []
    for due in stream:
        if due[0] > at_ns:
            return burst, chain([due], stream)
        if due[1] is not None:
            burst.append(due[1])
    return burst, stream
