"""Changes that are no fault: occasional events, light, shake, sensor noise.

All functions take event times of shape ``(n,)``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from meltwatch_simulator.parameters import NS_PER_S, Range, Traits
from meltwatch_simulator.randomness import (
    FloatArray,
    TimesNs,
    key_of,
    normal,
    smoothstep,
    uniform,
    wander,
)
from meltwatch_simulator.still import SIDE, Image


@dataclass(frozen=True, slots=True)
class Event:
    """Occasional events on a slot grid, seen from each instant: at most one per slot.

    Attributes
    ----------
    age_s
        ``(n,)``, seconds since the event of the instant's slot began; negative before.
    slot
        ``(n,)``, the slot's number: counter of everything that is drawn for the event.
    happens
        ``(n,)``, whether the slot has an event at all.
    """

    age_s: FloatArray
    slot: TimesNs
    happens: np.ndarray

    def may_show(self, longest_s: float) -> bool:
        """Tell whether any of the instants lies in an event that lasts at most so long."""
        on = self.happens & (self.age_s > 0.0) & (self.age_s < longest_s)
        return bool(on.any())

    def pick(self, key: int, low: float, high: float) -> FloatArray:
        """Draw a value per event, uniformly from a range."""
        return low + (high - low) * uniform(key, self.slot)

    def draw(self, key: int, values: Range) -> FloatArray:
        """Draw a value per event from a documented range."""
        return self.pick(key, values.low, values.high)


def occasional(key: int, times_ns: TimesNs, slot_s: float, chance: float) -> Event:
    """Return the event of each instant's slot; it begins in the slot's first half."""
    slot_ns = int(slot_s * NS_PER_S)
    slot, rest = np.divmod(times_ns, np.int64(slot_ns))
    begin_s = 0.5 * slot_s * uniform(key_of(key, "begin"), slot)
    happens = uniform(key_of(key, "happens"), slot) < chance
    return Event(rest / NS_PER_S - begin_s, slot, happens)


def rise_and_fall(
    age_s: FloatArray, length_s: FloatArray, ramp_s: FloatArray | float
) -> FloatArray:
    """Return 0..1: up within ``ramp_s`` of age 0, down to 0 at ``length_s``."""
    return smoothstep(age_s / ramp_s) * smoothstep((length_s - age_s) / ramp_s)


def ambient(traits: Traits, key: int, times_ns: TimesNs) -> FloatArray:
    """Return the hall's light, about 1: slow swings and, rarely, a lamp that goes on or off."""
    swing = traits.light_swing * wander(key_of(key, "light"), times_ns, 25 * NS_PER_S)
    return np.clip(1.0 + swing + lamp(key, times_ns), 0.4, 1.7)


def lamp(key: int, times_ns: TimesNs) -> FloatArray:
    """Return by how much a lamp brightens or darkens the hall: -0.2 to 0.3, mostly 0."""
    event = occasional(key_of(key, "lamp"), times_ns, 120.0, 0.4)
    lit = event.happens * rise_and_fall(event.age_s, event.pick(key_of(key, "lamp s"), 20, 50), 1.5)
    return lit * event.pick(key_of(key, "lamp gain"), -0.2, 0.3)


def melt_light(key: int, times_ns: TimesNs) -> FloatArray:
    """Return the strength of the melt's light, about 0.8: slow breathing and fast flicker."""
    slow = wander(key_of(key, "melt slow"), times_ns, 8 * NS_PER_S)
    fast = wander(key_of(key, "melt fast"), times_ns, 250_000_000)
    return np.clip(0.8 + 0.15 * slow + 0.08 * fast, 0.25, 1.3)


def shake(traits: Traits, key: int, times_ns: TimesNs) -> tuple[FloatArray, FloatArray]:
    """Return the camera's displacement (down, across) in pixels."""
    down, across = (
        traits.shake * wander(key_of(key, "shake", axis), times_ns, 310_000_000) for axis in "yx"
    )
    return down, across


class SensorNoise:
    """White noise of a camera: a long table, entered at a place hashed from the instant."""

    TABLE: Final = 1 << 17

    def __init__(self, deviation: float, key: int) -> None:
        self._key = key
        table = normal(key_of(key, "table"), np.arange(self.TABLE, dtype=np.int64))
        self._table = (deviation * table).astype(np.float32)

    def add_noise(self, picture: Image, times_ns: TimesNs) -> None:
        """Add noise to ``(n, 64, 64, 3)`` in place."""
        values = SIDE * SIDE * 3
        starts = (uniform(self._key, times_ns) * (self.TABLE - values)).astype(np.int64)
        for index, start in enumerate(starts):
            noise = self._table[start : start + values]
            picture[index] += noise.reshape(SIDE, SIDE, 3)
