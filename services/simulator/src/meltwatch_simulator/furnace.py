"""One simulated furnace: what its camera and its meter show at any instant, and the truth."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_simulator import disturbances as d
from meltwatch_simulator import parameters as p
from meltwatch_simulator.amperes import amperes
from meltwatch_simulator.parameters import NS_PER_S, Traits
from meltwatch_simulator.randomness import FloatArray, TimesNs, key_of, smoothstep
from meltwatch_simulator.schedule import Fault, Schedule
from meltwatch_simulator.spot import Spot, place_spot
from meltwatch_simulator.still import SIDE, Image, draw_still

BLOCK: Final = 32
"""Frames drawn at a time: their working memory stays within a processor's cache."""


class SimulatedFurnace:
    """A furnace as a pure function of its seed, its id and event time on its own clock.

    Parameters
    ----------
    seed
        Seed of the scenario.
    furnace_id
        Furnace id; any text.
    schedule
        Tells when the furnace has faults, on the furnace's own clock.
    ahead_ns
        How far the plant's clock is ahead of the furnace's own one.
    """

    def __init__(self, seed: int, furnace_id: str, schedule: Schedule, ahead_ns: int = 0) -> None:
        self._ahead_ns = ahead_ns
        self._seed = seed
        self._furnace_id = furnace_id
        self._schedule = schedule
        self._key = key_of(seed, furnace_id)
        self._traits = Traits.of(self._key)
        self._still = draw_still(self._traits, self._key)
        self._slope = tuple(np.gradient(self._still.lit + self._still.glow, axis=(0, 1)))
        self._mist = d.Mist(self._traits, self._key)
        self._noise = d.SensorNoise(self._traits.noise, key_of(self._key, "sensor"))

    @property
    def furnace_id(self) -> str:
        """The furnace's id."""
        return self._furnace_id

    def frames(self, event_times_ns: TimesNs) -> NDArray[np.uint8]:
        """Return what the camera sees.

        Parameters
        ----------
        event_times_ns
            Shape ``(n,)``, int64, any order.

        Returns
        -------
        Shape ``(n, 64, 64, 3)``, uint8, upright RGB.
        """
        frames = np.empty((len(event_times_ns), SIDE, SIDE, 3), dtype=np.uint8)
        times_ns = event_times_ns - self._ahead_ns
        for start in range(0, len(times_ns), BLOCK):
            part = slice(start, start + BLOCK)
            frames[part] = self._draw(times_ns[part])
        return frames

    def currents(self, event_times_ns: TimesNs) -> NDArray[np.float32]:
        """Return phase currents a, b, c in amperes: ``(n, 3)``, float32, for times ``(n,)``."""
        times_ns = event_times_ns - self._ahead_ns
        spots = self._spots(times_ns)
        return amperes(self._traits, self._key, times_ns, spots).astype(np.float32)

    def masks(self, event_times_ns: TimesNs) -> NDArray[np.uint8]:
        """Return the truth: ``(n, 64, 64)``, uint8, 1 where the shell glows, seen or hidden."""
        times_ns = event_times_ns - self._ahead_ns
        masks = np.zeros((len(times_ns), SIDE, SIDE), dtype=np.uint8)
        moved = d.shake(self._traits, self._key, times_ns)
        for spot in self._spots(times_ns):
            masks |= self._glow(spot, times_ns, moved) > p.MASK_LIMIT
        return masks

    def strength(self, event_times_ns: TimesNs) -> FloatArray:
        """Return how far a fault has developed at each instant: ``(n,)``, 0..1."""
        times_ns = event_times_ns - self._ahead_ns
        strength = np.zeros(len(times_ns))
        for spot in self._spots(times_ns):
            strength = np.maximum(strength, spot.strength(times_ns))
        return strength

    def fault_at(self, event_time_ns: int) -> Fault | None:
        """Return the fault whose ``[start, end)`` holds the instant, if any."""
        faults = self.faults_between(event_time_ns, event_time_ns + 1)
        return faults[0] if faults else None

    def faults_between(self, start_ns: int, end_ns: int) -> tuple[Fault, ...]:
        """Return the faults that overlap ``[start_ns, end_ns)``, by start."""
        ahead_ns = self._ahead_ns
        faults = self._schedule.between(self._furnace_id, start_ns - ahead_ns, end_ns - ahead_ns)
        return tuple(fault.moved(ahead_ns) for fault in faults)

    def _spots(self, times_ns: TimesNs) -> tuple[Spot, ...]:
        return tuple(place_spot(f, self._still, self._seed) for f in self._near(times_ns))

    def _near(self, times_ns: TimesNs) -> tuple[Fault, ...]:
        """Return the faults that any of the instants can see, after-glow and mist included."""
        if not len(times_ns):
            return ()
        margin_ns = int(2 * p.HEAVY_MIST_LEAD_S * NS_PER_S)
        first, last = int(times_ns.min()), int(times_ns.max())
        return self._schedule.between(self._furnace_id, first - margin_ns, last + margin_ns)

    def _draw(self, times_ns: TimesNs) -> NDArray[np.uint8]:
        traits, key, still = self._traits, self._key, self._still
        moved = d.shake(traits, key, times_ns)
        light = _per_frame(d.ambient(traits, key, times_ns))
        picture = still.lit * light + still.glow * _per_frame(d.melt_light(key, times_ns))
        for slope, distance in zip(self._slope, moved, strict=True):
            picture += slope * _per_frame(distance)
        for spot in self._spots(times_ns):
            spot.add(picture, self._glow(spot, times_ns, moved))
        d.add_flames(picture, still, traits, key, times_ns)
        self._hide_in_mist(picture, light, times_ns)
        picture *= np.array([traits.balance_red, 1.0, traits.balance_blue], dtype=np.float32)
        self._noise.add(picture, times_ns)
        return np.clip(picture + np.float32(0.5), 0, 255).astype(np.uint8)

    def _glow(self, spot: Spot, times_ns: TimesNs, moved: tuple[FloatArray, FloatArray]) -> Image:
        return spot.glow(times_ns, moved) * self._still.shell

    def _hide_in_mist(self, picture: Image, light: Image, times_ns: TimesNs) -> None:
        cover = self._mist.cover(self._opacity(times_ns), times_ns)[..., None]
        white = np.float32(self._traits.mist_white) * light
        picture += cover * (white - picture)

    def _opacity(self, times_ns: TimesNs) -> FloatArray:
        """Return the mist's mean opacity: a fault decides over the mist around it."""
        everyday = d.mist_opacity(self._traits, self._key, times_ns)
        heavy = d.passing_heavy_mist(self._key, times_ns)
        for fault in self._near(times_ns):
            lead_s = p.HEAVY_MIST_LEAD_S
            before_s = (times_ns - fault.start_ns) / NS_PER_S + lead_s
            after_s = (fault.end_ns - times_ns) / NS_PER_S + lead_s
            during = smoothstep(before_s / lead_s) * smoothstep(after_s / lead_s)
            heavy = heavy * (1 - during) + (during if fault.heavy_mist else 0.0)
        return everyday + (p.HEAVY_MIST_OPACITY - everyday) * heavy


def _per_frame(values: FloatArray) -> Image:
    return values.astype(np.float32)[:, None, None, None]
