"""Currents in JSON messages: where their values and their time stand, and what cannot be used."""

import json
import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from meltwatch_schemas.instants import ns_from_number, ns_from_utc
from meltwatch_schemas.text import escaped

from meltwatch_sources.domain.messages import TopicMessage
from meltwatch_sources.domain.reading import MeterReading, Wiring, nothing
from meltwatch_sources.domain.source_time import AGREES_NS

LONGEST: Final = 65_536
"""Bytes of a message; what is longer is not looked at."""
_MISSING: Final = object()
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class JsonPlaces:
    """Where a publisher writes the currents.

    Attributes
    ----------
    topics
        One for all values, or one a value.
    values
        For each value in the meter's order its JSON pointer (RFC 6901); empty is the whole message.
    time
        Pointer of the time stamp; None if there is none.
    """

    topics: tuple[str, ...]
    values: tuple[str, str, str]
    time: str | None = None


@dataclass(slots=True)
class JsonCurrents:
    """Reads messages of one publisher.

    Attributes
    ----------
    places
        Where it writes what.
    wiring
        What the values mean.
    why
        Why the newest message held no value; empty if it held one.
    """

    places: JsonPlaces
    wiring: Wiring = field(default_factory=Wiring)
    why: str = "no message yet"
    is_alive: bool = field(default=False, init=False)
    """A broker that is there proves nothing of the publisher."""

    @property
    def topics(self) -> tuple[str, ...]:
        """What to listen to."""
        return tuple(dict.fromkeys(self.places.topics))

    def request(self) -> None:
        """Return None: there is nothing to ask for."""

    def take(self, message: TopicMessage) -> list[MeterReading]:
        """Return what a message says: one reading, or none if it tells of no phase."""
        try:
            found = self._reading(message)
            self.why = found.quality
        except ValueError as error:
            self.why = escaped(str(error))
            return []
        return [found]

    def _reading(self, message: TopicMessage) -> MeterReading:
        if len(message.payload) > LONGEST:
            raise ValueError(f"expected at most {LONGEST} bytes, got {len(message.payload)}")
        told = _document(message.payload)
        source_ns = None if self.places.time is None else _time_ns(told, self.places.time)
        arrival_ns = message.arrival_ns
        if message.is_retained and (source_ns is None or abs(source_ns - arrival_ns) > AGREES_NS):
            raise ValueError("expected a message of now, got a retained one of unknown age")
        values, phases, quality = nothing(), [], ""
        for pointer, phase in self._wanted(message.topic):
            value = found_at(told, pointer)
            if value is _MISSING:
                continue
            phases.append(phase)
            values[phase] = self.wiring.ampere(_number(value))
            if not math.isfinite(values[phase]):
                quality = f"expected amperes at {pointer!r}, got {value!r:.{_SHOWN}}"
        if not phases:
            pointers = ", ".join(repr(pointer) for pointer, _ in self._wanted(message.topic))
            raise ValueError(f"expected a value at {pointers}, the message has none")
        quality = "" if any(math.isfinite(values[phase]) for phase in phases) else quality
        return MeterReading(
            values, source_ns, arrival_ns, arrival_ns, escaped(quality), tuple(phases)
        )

    def _wanted(self, topic: str) -> list[tuple[str, int]]:
        places = self.places
        topics = places.topics * len(places.values) if len(places.topics) == 1 else places.topics
        return [
            (pointer, phase)
            for of, pointer, phase in zip(topics, places.values, self.wiring.phases, strict=True)
            if of == topic
        ]


def found_at(document: object, pointer: str) -> Any:
    """Return what stands at a JSON pointer, or a mark that nothing does."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(name, _MISSING)
        elif isinstance(document, list) and name.isascii() and name.isdigit():
            document = document[int(name)] if int(name) < len(document) else _MISSING
        else:
            return _MISSING
    return document


def time_of(value: object) -> int:
    """Return a time stamp as ns UTC: RFC 3339, or a number since 1970 whose size tells its unit.

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("expected a time with its zone")
        return ns_from_utc(moment)
    return ns_from_number(_number(value))


def _time_ns(document: object, pointer: str) -> int:
    value = found_at(document, pointer)
    shown = "none" if value is _MISSING else f"{value!r:.{_SHOWN}}"
    try:
        return time_of(value)
    except (ValueError, OverflowError):
        raise ValueError(f"expected a time with its zone at {pointer!r}, got {shown}") from None


def _document(payload: bytes) -> object:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        raise ValueError("expected JSON, got other bytes") from None


def _number(value: object) -> float:
    """Return a number of JSON as it is; NaN for all else, a text with a number included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan
