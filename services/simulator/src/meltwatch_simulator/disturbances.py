"""What moves and means nothing: flames, flares, mist, light, shake.

All functions take event times of shape ``(n,)`` and keep to exact arithmetic on arrays of that
shape (see ``randomness``); arrays of shape ``(n, 64)`` and beyond may use any function, since 64
is a whole number of vector lanes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from meltwatch_simulator.parameters import NS_PER_S, Traits
from meltwatch_simulator.randomness import (
    FloatArray,
    TimesNs,
    key_of,
    normal,
    smoothstep,
    texture,
    uniform,
    wander,
)
from meltwatch_simulator.still import SIDE, Image, Still

_AXIS: Final = np.arange(SIDE, dtype=np.float32)[None, :]
_FLAME_COLOUR: Final = np.array([235.0, 150.0, 60.0], dtype=np.float32)
_FLARE_COLOUR: Final = np.array([255.0, 205.0, 120.0], dtype=np.float32)
TONGUES: Final = 3
FLARE_SLOT_S: Final = 9.0
MIST_SLOT_S: Final = 100.0
MIST_CHANCE: Final = 0.45
MIST_TILE: Final = 128


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

    def pick(self, key: int, low: float, high: float) -> FloatArray:
        """Draw a value per event, uniformly from a range."""
        return low + (high - low) * uniform(key, self.slot)


def occasional(key: int, times_ns: TimesNs, slot_s: float, chance: float) -> Event:
    """Return the event of each instant's slot; it begins in the slot's first half."""
    slot_ns = int(slot_s * NS_PER_S)
    slot, rest = np.divmod(times_ns, np.int64(slot_ns))
    begin_s = 0.5 * slot_s * uniform(key_of(key, "begin"), slot)
    happens = uniform(key_of(key, "happens"), slot) < chance
    return Event(rest / NS_PER_S - begin_s, slot, happens)


def rise_and_fall(age_s: FloatArray, length_s: FloatArray, ramp_s: float) -> FloatArray:
    """Return 0..1: up within ``ramp_s`` of age 0, down to 0 at ``length_s``."""
    return smoothstep(age_s / ramp_s) * smoothstep((length_s - age_s) / ramp_s)


def add_flames(picture: Image, still: Still, traits: Traits, key: int, times_ns: TimesNs) -> None:
    """Add burning gas at the mouth and, now and then, a flare or spatter, in place."""
    for centre, width, top, height, strength in _tongues(still, traits, key, times_ns):
        _add_blob(picture, (centre, top), (width, height), strength, _FLAME_COLOUR)
    flare = _flare(still, traits, key_of(key, "flare"), times_ns)
    _add_blob(picture, *flare, _FLARE_COLOUR)


def _tongues(
    still: Still, traits: Traits, key: int, times_ns: TimesNs
) -> Iterator[tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]]:
    middle, half = (still.left + still.right) / 2, (still.right - still.left) / 2
    for number in range(TONGUES):
        own = key_of(key, "tongue", number)
        sway = wander(key_of(own, "sway"), times_ns, 700_000_000)
        size = np.clip(0.5 + 0.5 * wander(key_of(own, "size"), times_ns, 300_000_000), 0, 1.5)
        height = 2.0 + 7.0 * traits.flame_rate * size
        width = 2.5 + 2.5 * uniform(key_of(own, "width"), times_ns // 1_000_000_000)
        yield (
            middle + half * 0.45 * sway,
            width,
            still.rim - 0.8 * height,
            height,
            traits.flame_rate * np.clip(size, 0, 1),
        )


def _flare(
    still: Still, traits: Traits, key: int, times_ns: TimesNs
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray], FloatArray]:
    """Return centre, size and strength of the flare: it starts at the rim and flies."""
    event = occasional(key, times_ns, FLARE_SLOT_S, traits.flare_chance)
    pick = event.pick
    length_s = pick(key_of(key, "length"), 1.0, 3.6)
    age_s = np.clip(event.age_s, 0.0, length_s)
    x = pick(key_of(key, "x"), still.left, still.right)
    x = x + pick(key_of(key, "vx"), -9.0, 9.0) * age_s
    y = still.rim - 3.0 + pick(key_of(key, "vy"), -8.0, 13.0) * age_s
    size = pick(key_of(key, "width"), 1.8, 5.5), pick(key_of(key, "height"), 2.0, 7.0)
    strength = event.happens * rise_and_fall(event.age_s, length_s, 0.4)
    flicker = 0.8 + 0.2 * wander(key_of(key, "flicker"), times_ns, 200_000_000)
    return (x, y), size, strength * flicker


def _add_blob(
    picture: Image,
    centre: tuple[FloatArray, FloatArray],
    size: tuple[FloatArray, FloatArray],
    strength: FloatArray,
    colour: Image,
) -> None:
    across = _bell(centre[0], size[0])
    down = _bell(centre[1], size[1]) * strength.astype(np.float32)[:, None]
    blob = down[:, :, None] * across[:, None, :]
    for channel in range(3):
        picture[..., channel] += blob * colour[channel]


def _bell(centre: FloatArray, size: FloatArray) -> Image:
    offset = (_AXIS - centre.astype(np.float32)[:, None]) / size.astype(np.float32)[:, None]
    bell: Image = np.exp(-offset * offset)
    return bell


def ambient(traits: Traits, key: int, times_ns: TimesNs) -> FloatArray:
    """Return the hall's light, about 1: slow swings and, rarely, a lamp that goes on or off."""
    swing = traits.light_swing * wander(key_of(key, "light"), times_ns, 25 * NS_PER_S)
    lamp = occasional(key_of(key, "lamp"), times_ns, 120.0, 0.4)
    lit = lamp.happens * rise_and_fall(lamp.age_s, lamp.pick(key_of(key, "lamp s"), 20, 50), 1.5)
    return np.clip(1.0 + swing + lit * lamp.pick(key_of(key, "lamp gain"), -0.2, 0.3), 0.4, 1.7)


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


def mist_opacity(traits: Traits, key: int, times_ns: TimesNs) -> FloatArray:
    """Return the mean opacity of everyday mist, 0 to about 0.5."""
    swell = 0.5 + 0.5 * wander(key_of(key, "mist swell"), times_ns, 20 * NS_PER_S)
    return traits.mist_thickness * np.clip(swell, 0.0, 1.4)


def passing_heavy_mist(key: int, times_ns: TimesNs) -> FloatArray:
    """Return 0..1: heavy mist that comes without a fault and means nothing."""
    event = occasional(key_of(key, "heavy mist"), times_ns, MIST_SLOT_S, MIST_CHANCE)
    length_s = event.pick(key_of(key, "heavy mist s"), 15.0, 45.0)
    return event.happens * rise_and_fall(event.age_s, length_s, 4.0)


class Mist:
    """Two layers of drifting texture that hide more or less of the picture."""

    def __init__(self, traits: Traits, key: int) -> None:
        self._traits = traits
        self._key = key
        self._layers = tuple(_cloud(key_of(key, "mist", cell), cell) for cell in (32, 16))

    def cover(self, opacity: FloatArray, times_ns: TimesNs) -> Image:
        """Return how much each pixel is hidden, ``(n, 64, 64)``, 0..0.97, mean ``opacity``."""
        slow, fast = (self._drift(number, times_ns) for number in range(2))
        thin = np.float32(0.11) * slow + np.float32(0.07) * fast
        mean = opacity.astype(np.float32)[:, None, None]
        # Thin mist varies with its own thickness, heavy mist keeps holes.
        cover: Image = np.clip(mean + thin * np.minimum(mean * 3, 1.0), 0.0, 0.97)
        return cover

    def _drift(self, number: int, times_ns: TimesNs) -> Image:
        """Return one layer, moved by the draught: ``(n, 64, 64)``."""
        speed = self._traits.mist_speed * (1.0, -0.6)[number]
        seconds, rest = np.divmod(times_ns, np.int64(NS_PER_S))
        # Whole tiles fall out of the sum: far from the epoch a float alone would lose pixels.
        period = MIST_TILE * 64
        travelled = (seconds % period) * speed + rest * (speed / NS_PER_S)
        sway = 6.0 * wander(key_of(self._key, "sway", number), times_ns, 5 * NS_PER_S)
        columns = (
            np.floor(travelled + sway).astype(np.int64)[:, None] + np.arange(SIDE)
        ) % MIST_TILE
        rows = (np.floor(-0.5 * travelled).astype(np.int64)[:, None] + np.arange(SIDE)) % MIST_TILE
        layer: Image = self._layers[number][rows[:, :, None], columns[:, None, :]]
        return layer


def _cloud(key: int, cell: int) -> Image:
    """Return a tile of cloud: two sizes of texture, blurred so that no grid shows."""
    cloud = texture(key, MIST_TILE, cell) + 0.6 * texture(key + 1, MIST_TILE, cell // 2)
    for axis in (0, 1):
        cloud = np.mean([np.roll(cloud, step, axis) for step in range(-5, 6)], axis=0)
    tile: Image = (cloud / cloud.std()).astype(np.float32)
    return tile


class SensorNoise:
    """White noise of a camera: a long table, entered at a place hashed from the instant."""

    TABLE: Final = 1 << 17

    def __init__(self, deviation: float, key: int) -> None:
        self._key = key
        table = normal(key_of(key, "table"), np.arange(self.TABLE, dtype=np.int64))
        self._table = (deviation * table).astype(np.float32)

    def add(self, picture: Image, times_ns: TimesNs) -> None:
        """Add noise to ``(n, 64, 64, 3)`` in place."""
        values = SIDE * SIDE * 3
        starts = (uniform(self._key, times_ns) * (self.TABLE - values)).astype(np.int64)
        for index, start in enumerate(starts):
            noise = self._table[start : start + values]
            picture[index] += noise.reshape(SIDE, SIDE, 3)
