"""The console's stream of changes: server-sent events, read on after a loss."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from meltwatch.errors import AnswerError, RefusedError, UnreachableError
from meltwatch.web import Door, parsed

SILENCE_S: Final = 20.0
"""The console says something every 5 s."""
MAX_EVENT: Final = 64 * 1024 * 1024
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 10.0


@dataclass(frozen=True)
class PlantChange:
    """Something that has changed.

    Attributes
    ----------
    event
        ``snapshot``, ``scores``, ``alarm``, ``furnace``, ``heartbeat``, ``link`` or ``result``.
    data
        What the console says of it.
    id
        By which the stream is resumed.
    """

    event: str
    data: Any
    id: str | None


def changes(door: Door, patience_s: float) -> Iterator[PlantChange]:
    """Yield changes for ever; after a loss the console is asked for what was missed.

    Raises
    ------
    UnreachableError
        If the console is away for longer than ``patience_s``.
    RefusedError
        If it refuses, as with a token that has expired.
    """
    newest: str | None = None
    away_since, pause_s = time.monotonic(), _FIRST_PAUSE_S
    while True:
        try:
            for change in _connected(door, newest):
                newest = change.id or newest
                away_since, pause_s = time.monotonic(), _FIRST_PAUSE_S
                yield change
                away_since = time.monotonic()
            problem: Exception = UnreachableError(f"{door.address} ended the stream")
        except UnreachableError as error:
            problem = error
        except RefusedError as error:
            if error.status < 500:
                raise
            problem = error
        if time.monotonic() - away_since > patience_s:
            raise UnreachableError(f"gave up after {patience_s:g} s: {problem}") from problem
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _connected(door: Door, newest: str | None) -> Iterator[PlantChange]:
    headers = {"Accept": "text/event-stream"}
    if newest is not None:
        headers["Last-Event-ID"] = newest
    with door.opened("stream", headers, SILENCE_S) as answer:
        yield from events_of(answer.stream(64 * 1024, decode_content=False))


def events_of(parts: Iterable[bytes]) -> Iterator[PlantChange]:
    """Yield the events of a stream that comes in parts.

    Raises
    ------
    AnswerError
        If one is longer than any that a console sends, or no JSON.
    """
    reader = _EventReader()
    for line in _lines(parts, lambda: reader.size):
        found = reader.take(line)
        if found is not None:
            yield found


class _EventReader:
    """Gathers the lines of an event, as the HTML standard has them."""

    def __init__(self) -> None:
        self._event, self._data = "message", list[bytes]()
        self._id: str | None = None
        self.size = 0

    def take(self, line: bytes) -> PlantChange | None:
        """Take a line; return the event that it ends."""
        if line:
            self._note(line)
            return None
        found = None
        if self._data:
            found = PlantChange(self._event, parsed(b"\n".join(self._data)), self._id)
        self._event, self._data, self.size = "message", [], 0
        return found

    def _note(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self.size += len(value)
        elif name == b"event":
            self._event = value.decode(errors="replace")[:100]
        elif name == b"id":
            self._id = value.decode(errors="replace")[:100]


def _lines(parts: Iterable[bytes], held: Callable[[], int]) -> Iterator[bytes]:
    rest = b""
    for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")
        if len(rest) + held() > MAX_EVENT:
            raise AnswerError(f"expected events of at most {MAX_EVENT} bytes")
