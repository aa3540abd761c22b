"""Events of kinds that teach nobody, drawn onto what a furnace shows.

A furnace without them shows every grey and every ampere as before. Each event comes up over 20 s;
its place, size and strength are drawn by its key.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_simulator.furnace import SimulatedFurnace
from meltwatch_simulator.parameters import NS_PER_S, Range
from meltwatch_simulator.randomness import FloatArray, TimesNs, key_of, smoothstep, wander
from meltwatch_simulator.still import COLUMNS, ROWS, SIDE, Image, Still

RISE_S: Final = 20.0
_SWING_S: Final = 7.0
_DRIFT_NS: Final = 3 * NS_PER_S


@dataclass(frozen=True, slots=True)
class UnseenEvent:
    """Something that happens to a furnace which nothing was taught.

    Attributes
    ----------
    kind
        One of ``KINDS``.
    start_ns, end_ns
        Event times ``[start_ns, end_ns)``.
    key
        Draws its place, size and strength.
    """

    kind: str
    start_ns: int
    end_ns: int
    key: int

    def strength(self, times_ns: TimesNs) -> FloatArray:
        """Return how far it has come up at each instant, 0..1; it goes in a second."""
        rise_s = RISE_S if self.kind != "people" else 1.0
        up = smoothstep((times_ns - self.start_ns) / (rise_s * NS_PER_S))
        down = smoothstep((self.end_ns - times_ns) / NS_PER_S)
        return up * down

    def drawn(self, name: str, low: float, high: float) -> float:
        """Return a property between two bounds."""
        return Range(low, high, "", self.kind).draw(key_of(self.key, name))


@dataclass(frozen=True, slots=True)
class Pictured:
    """Frames that an event changes.

    Attributes
    ----------
    picture
        Shape ``(n, 64, 64, 3)``, float32 greys.
    strength
        Shape ``(n, 1, 1, 1)``.
    times_ns
        Shape ``(n,)``.
    still
        What stands still in the picture.
    """

    picture: Image
    strength: Image
    times_ns: TimesNs
    still: Still


def _leak(event: UnseenEvent, seen: Pictured) -> Image:
    """A dark wet streak down the shell."""
    left, right, top, bottom = seen.still.spot_room
    column = event.drawn("column", left, right)
    width = event.drawn("width", 1.5, 3.5)
    begin = event.drawn("begin", top, (top + bottom) / 2)
    across = np.clip(1.5 - np.abs(COLUMNS - column) / width, 0.0, 1.0)
    # It runs down while it comes up.
    reach = begin + (SIDE - begin) * seen.strength
    along = np.clip(ROWS[..., None] - begin, 0.0, 1.0) * np.clip(reach - ROWS[..., None], 0.0, 1.0)
    dark = event.drawn("dark", 0.3, 0.55) * across[..., None] * along
    shown: Image = seen.picture * (1 - dark * np.array([1.0, 0.95, 0.85]))
    return shown


def _glow(event: UnseenEvent, seen: Pictured) -> Image:
    """Bluish-white light beside the mouth."""
    left, right, *_ = seen.still.spot_room
    column = left if event.drawn("side", 0, 1) < 0.5 else right
    row = seen.still.rim + event.drawn("row", 0.0, 6.0)
    radius = event.drawn("radius", 4.0, 7.0)
    square = np.square(ROWS - row) + np.square(COLUMNS - column)
    light = event.drawn("light", 25.0, 60.0) * np.exp(-square / (2 * radius * radius))
    shown: Image = seen.picture + seen.strength * light[..., None] * np.array([0.75, 0.9, 1.0])
    return shown


def _warming(event: UnseenEvent, seen: Pictured) -> Image:
    """The whole shell a little redder, evenly."""
    red = event.drawn("red", 6.0, 14.0)
    colour = np.array([red, 0.15 * red, -0.2 * red])
    shown: Image = seen.picture + seen.strength * seen.still.shell[..., None] * colour
    return shown


def _smoke(event: UnseenEvent, seen: Pictured) -> Image:
    """A dark plume over a part of the picture."""
    column = event.drawn("column", 12.0, 52.0)
    width = event.drawn("width", 6.0, 12.0)
    sway = 3.0 * wander(key_of(event.key, "sway"), seen.times_ns, _DRIFT_NS)[:, None, None]
    middle = column + sway * (1 - ROWS / SIDE)
    thick = np.exp(-np.square((COLUMNS - middle) / width) / 2) * np.clip(1.2 - ROWS / SIDE, 0, 1)
    dark = event.drawn("dark", 0.25, 0.5) * seen.strength * thick[..., None]
    shown: Image = seen.picture * (1 - dark) + dark * 30.0
    return shown


def _people(event: UnseenEvent, seen: Pictured) -> Image:
    """Somebody walks through."""
    across = (seen.times_ns - event.start_ns) / (event.end_ns - event.start_ns)
    column = (SIDE * across)[:, None, None]
    height = event.drawn("height", 24.0, 36.0)
    body = (np.abs(COLUMNS - column) < event.drawn("width", 2.0, 4.0)) & (SIDE - height < ROWS)
    there = (body[..., None] & (seen.strength > 0)).astype(np.float32)
    return seen.picture * (1 - 0.75 * there)


def _dirt(event: UnseenEvent, seen: Pictured) -> Image:
    """A film of dust takes light."""
    return seen.picture * (1 - event.drawn("film", 0.15, 0.3) * seen.strength)


def _bump(_: UnseenEvent, seen: Pictured) -> Image:
    """The camera sinks by two pixels."""
    edge = seen.picture[:, -1:]
    sunk = np.concatenate([seen.picture[:, 2:], edge, edge], axis=1)
    return np.where(seen.strength > 0, sunk, seen.picture)


def _tint(event: UnseenEvent, seen: Pictured) -> Image:
    """Another white balance."""
    shift = event.drawn("shift", 0.04, 0.08) * seen.strength
    shown: Image = seen.picture * (1 + shift * np.array([1.0, 0.0, -1.0]))
    return shown


def _broken_electrode(event: UnseenEvent, amperes: FloatArray, times_ns: TimesNs) -> FloatArray:
    """One phase stays a fifth lower."""
    lower = np.zeros(3)
    lower[int(event.drawn("phase", 0, 3))] = 0.2
    return amperes * (1 - event.strength(times_ns)[:, None] * lower)


def _swing(event: UnseenEvent, amperes: FloatArray, times_ns: TimesNs) -> FloatArray:
    """All phases swing."""
    turns = (times_ns - event.start_ns) / (_SWING_S * NS_PER_S)
    swing = 0.06 * event.strength(times_ns) * np.sin(2 * np.pi * turns)
    return amperes * (1 + swing[:, None])


PICTURED: Final[Mapping[str, Callable[[UnseenEvent, Pictured], Image]]] = {
    "leak": _leak,
    "glow": _glow,
    "warming": _warming,
    "smoke": _smoke,
    "people": _people,
    "dirt": _dirt,
    "bump": _bump,
    "tint": _tint,
}
MEASURED: Final[Mapping[str, Callable[[UnseenEvent, FloatArray, TimesNs], FloatArray]]] = {
    "broken electrode": _broken_electrode,
    "swing": _swing,
}
KINDS: Final = (*PICTURED, *MEASURED)
"""All kinds. Whoever adds one adds a function, and its line to one of the two tables above."""
NUISANCES: Final = ("people", "dirt", "bump", "tint")
"""Must not alarm: nothing is wrong with the furnace."""


class UnseenFurnace:
    """A furnace to which such events happen.

    Parameters
    ----------
    furnace
        What it is without them.
    events
        What happens, in any order; they may overlap.
    """

    def __init__(self, furnace: SimulatedFurnace, events: Sequence[UnseenEvent]) -> None:
        self._furnace = furnace
        self._events = events

    def frames(self, event_times_ns: TimesNs) -> NDArray[np.uint8]:
        """Return what the camera sees; as of :class:`SimulatedFurnace`."""
        frames = self._furnace.frames(event_times_ns)
        for event, within in self._happening(event_times_ns, PICTURED):
            seen = Pictured(
                picture=frames[within].astype(np.float32),
                strength=event.strength(event_times_ns[within]).astype(np.float32)[
                    :, None, None, None
                ],
                times_ns=event_times_ns[within],
                still=self._furnace.still,
            )
            changed = PICTURED[event.kind](event, seen)
            frames[within] = np.clip(changed + 0.5, 0, 255).astype(np.uint8)
        return frames

    def currents(self, event_times_ns: TimesNs) -> NDArray[np.float32]:
        """Return phase currents; as of :class:`SimulatedFurnace`."""
        amperes = self._furnace.currents(event_times_ns).astype(np.float64)
        for event, within in self._happening(event_times_ns, MEASURED):
            amperes[within] = MEASURED[event.kind](event, amperes[within], event_times_ns[within])
        return amperes.astype(np.float32)

    def _happening(
        self, times_ns: TimesNs, kinds: Iterable[str]
    ) -> Iterable[tuple[UnseenEvent, NDArray[np.bool_]]]:
        for event in self._events:
            within = (times_ns >= event.start_ns) & (times_ns < event.end_ns)
            if event.kind in kinds and within.any():
                yield event, within
