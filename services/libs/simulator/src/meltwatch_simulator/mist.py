"""Water mist and steam: they drift and hide parts of the picture, mostly without a fault."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from meltwatch_simulator import parameters as p
from meltwatch_simulator.development import fault_key
from meltwatch_simulator.disturbances import occasional, rise_and_fall
from meltwatch_simulator.parameters import NS_PER_S, Traits
from meltwatch_simulator.randomness import (
    FloatArray,
    TimesNs,
    key_of,
    smoothstep,
    standardised,
    texture,
    wander,
)
from meltwatch_simulator.schedule import Fault
from meltwatch_simulator.still import SIDE, Image, per_frame

MIST_SLOT_S: Final = 100.0
MIST_CHANCE: Final = 0.45
STEAM_SLOT_S: Final = 400.0
MIST_TILE: Final = 128
BRIGHTEST: Final = np.float32(215.0)
"""Greys of lit mist: a camera's exposure follows what fills its picture."""
LONGEST_LEAD_S: Final = max(p.VEIL_LEAD.high, p.HEAVY_MIST_LEAD_S)
"""Mist and steam are not changed by a fault that is farther away in time."""


@dataclass(frozen=True, slots=True)
class Air:
    """What is in the air, each ``(n,)``, by instant.

    Attributes
    ----------
    mist
        Mean opacity of mist, 0 to 0.84; mist has thin places.
    steam
        Opacity of dense steam, 0 to 0.998; steam has none.
    """

    mist: FloatArray
    steam: FloatArray


def air_at(
    traits: Traits, furnace: tuple[int, int], times_ns: TimesNs, faults: tuple[Fault, ...]
) -> Air:
    """Return what is in the air; around a fault, the fault's own mist counts.

    Parameters
    ----------
    furnace
        The scenario's seed and the furnace's key.
    faults
        All within ``LONGEST_LEAD_S`` of any of the instants, by start.
    """
    seed, key = furnace
    everyday = everyday_mist(traits, key, times_ns)
    heavy = passing_heavy_mist(key, times_ns)
    steam = passing_steam(traits, key, times_ns)
    for fault in faults:
        lead_s = p.HEAVY_MIST_LEAD_S
        during = around(fault, times_ns, (lead_s, lead_s), lead_s)
        heavy = heavy * (1 - during) + during * fault.heavy_mist
        if fault.veiled:
            own = fault_key(seed, fault)
            leads_s = (
                p.VEIL_LEAD.draw(key_of(own, "before")),
                p.VEIL_LEAD.draw(key_of(own, "after")),
            )
            steam = np.maximum(steam, around(fault, times_ns, leads_s, p.STEAM_RAMP_S))
        else:
            steam = steam * (1 - during)
    return Air(everyday + (p.HEAVY_MIST_OPACITY - everyday) * heavy, p.STEAM_OPACITY * steam)


def around(
    fault: Fault, times_ns: TimesNs, leads_s: tuple[float, float], ramp_s: float
) -> FloatArray:
    """Return 0..1, ``(n,)``: up from a lead before a fault's start, down to one after its end."""
    before_s = (times_ns - fault.start_ns) / NS_PER_S + leads_s[0]
    after_s = (fault.end_ns - times_ns) / NS_PER_S + leads_s[1]
    return smoothstep(before_s / ramp_s) * smoothstep(after_s / ramp_s)


def everyday_mist(traits: Traits, key: int, times_ns: TimesNs) -> FloatArray:
    """Return the mean opacity of everyday mist, 0 to about 0.5."""
    swell = 0.5 + 0.5 * wander(key_of(key, "mist swell"), times_ns, 20 * NS_PER_S)
    return traits.mist_thickness * np.clip(swell, 0.0, 1.4)


def passing_heavy_mist(key: int, times_ns: TimesNs) -> FloatArray:
    """Return 0..1: heavy mist that comes without a fault."""
    event = occasional(key_of(key, "heavy mist"), times_ns, MIST_SLOT_S, MIST_CHANCE)
    if not event.may_show(p.HEAVY_MIST_LENGTH.high):
        return np.zeros(times_ns.shape)
    length_s = event.draw(key_of(key, "heavy mist s"), p.HEAVY_MIST_LENGTH)
    return event.happens * rise_and_fall(event.age_s, length_s, p.HEAVY_MIST_LEAD_S)


def passing_steam(traits: Traits, key: int, times_ns: TimesNs) -> FloatArray:
    """Return 0..1: dense steam that comes without a fault."""
    event = occasional(key_of(key, "steam"), times_ns, STEAM_SLOT_S, traits.steam_chance)
    if not event.may_show(p.STEAM_LENGTH.high):
        return np.zeros(times_ns.shape)
    length_s = event.draw(key_of(key, "steam s"), p.STEAM_LENGTH)
    return event.happens * rise_and_fall(event.age_s, length_s, p.STEAM_RAMP_S)


class Mist:
    """Two layers of drifting texture that hide more or less of the picture."""

    def __init__(self, traits: Traits, key: int) -> None:
        self._traits = traits
        self._key = key

    @cached_property
    def _layers(self) -> tuple[Image, ...]:
        """Of a picture alone: whoever asks for currents never draws them."""
        return tuple(_cloud(key_of(self._key, "mist", cell), cell) for cell in (32, 16))

    def hide(self, picture: Image, air: Air, light: Image, times_ns: TimesNs) -> None:
        """Hide a picture ``(n, 64, 64, 3)`` in place; ``light`` broadcasts to it."""
        slow, fast = (self._drift(number, times_ns)[..., None] for number in range(2))
        thin = np.float32(0.11) * slow + np.float32(0.07) * fast
        white = np.minimum(np.float32(self._traits.mist_white) * light, BRIGHTEST)
        mean = per_frame(air.mist)[..., None]
        # Thin mist varies with its own thickness, heavy mist keeps holes.
        picture += np.clip(mean + thin * np.minimum(mean * 3, 1.0), 0.0, 0.97) * (white - picture)
        (dense,) = np.nonzero(air.steam)
        if len(dense):
            # Steam is not even: it scatters more light here than there.
            billows = (white * (1 + np.float32(0.5) * thin))[dense]
            picture[dense] += per_frame(air.steam[dense])[..., None] * (billows - picture[dense])

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
        total = np.zeros_like(cloud)
        for step in range(-5, 6):
            total += np.roll(cloud, step, axis)
        cloud = total
    return standardised(cloud).astype(np.float32)
