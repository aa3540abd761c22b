"""Burning gas at the mouth, flares and spatter: bright, short, moving, and no fault."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from meltwatch_simulator.disturbances import occasional, rise_and_fall
from meltwatch_simulator.parameters import Traits
from meltwatch_simulator.randomness import FloatArray, TimesNs, fade, key_of, uniform, wander
from meltwatch_simulator.still import SIDE, Image, Still

TONGUES: Final = 3
FLARE_SLOT_S: Final = 9.0
_AXIS: Final = np.arange(SIDE, dtype=np.float32)[None, :]
_FLAME_COLOUR: Final = np.array([235.0, 150.0, 60.0], dtype=np.float32)
_FLARE_COLOUR: Final = np.array([255.0, 205.0, 120.0], dtype=np.float32)


def add_flames(
    picture: Image, still: Still, traits: Traits, key: int, times_ns: TimesNs, fuel: FloatArray
) -> None:
    """Add burning gas at the mouth and, now and then, a flare or spatter, in place.

    Parameters
    ----------
    fuel
        Shape ``(n,)``: how high and strong the gas burns, of usual.
    """
    rate = traits.flame_rate * fuel
    for centre, width, top, height, strength in _tongues(still, rate, key, times_ns):
        _add_blob(picture, (centre, top), (width, height), strength, _FLAME_COLOUR)
    flare = flare_at(still, traits, key, times_ns)
    _add_blob(picture, *flare, _FLARE_COLOUR)


def _tongues(
    still: Still, rate: FloatArray, key: int, times_ns: TimesNs
) -> Iterator[tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]]:
    middle, half = (still.left + still.right) / 2, (still.right - still.left) / 2
    for number in range(TONGUES):
        own = key_of(key, "tongue", number)
        sway = wander(key_of(own, "sway"), times_ns, 700_000_000)
        size = np.clip(0.5 + 0.5 * wander(key_of(own, "size"), times_ns, 300_000_000), 0, 1.5)
        height = 2.0 + 7.0 * rate * size
        width = 2.5 + 2.5 * uniform(key_of(own, "width"), times_ns // 1_000_000_000)
        yield (
            middle + half * 0.45 * sway,
            width,
            still.rim - 0.8 * height,
            height,
            rate * np.clip(size, 0, 1),
        )


def flare_at(
    still: Still, traits: Traits, key: int, times_ns: TimesNs
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray], FloatArray]:
    """Return centre, size and strength of the flare: it starts at the rim and flies."""
    key = key_of(key, "flare")
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
    bell: Image = fade(offset * offset).astype(np.float32)
    return bell
