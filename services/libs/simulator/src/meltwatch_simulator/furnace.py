"""One simulated furnace: what its camera and its meter show at any instant, and the truth."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_simulator import disturbances as d
from meltwatch_simulator import parameters as p
from meltwatch_simulator.amperes import amperes, drop_outs, electrode_moves, tap_changes, unrest
from meltwatch_simulator.development import strength
from meltwatch_simulator.flames import add_flames, flare_at
from meltwatch_simulator.lookalikes import Lookalikes
from meltwatch_simulator.mist import LONGEST_LEAD_S, Air, Mist, air_at
from meltwatch_simulator.parameters import NS_PER_S, Traits
from meltwatch_simulator.randomness import FloatArray, TimesNs, key_of
from meltwatch_simulator.schedule import Fault, Schedule
from meltwatch_simulator.spot import Spot, place_spot
from meltwatch_simulator.still import SIDE, Image, Still, draw_still, per_frame

FAINT: Final = 0.2
"""Of full brightness: below it a glow is lost in light and noise."""
BLOCK: Final = 32
"""Frames drawn at a time: their working memory stays within a processor's cache."""


@dataclass(frozen=True, slots=True)
class Lights:
    """What lights a picture at each instant, ``(n,)``.

    Attributes
    ----------
    hall, melt
        Strength of the hall's light and of the melt's.
    fuel
        How high and strong the flames at the mouth burn, of usual.
    """

    hall: FloatArray
    melt: FloatArray
    fuel: FloatArray


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
    beyond
        How far its traits lie outside the usual ranges, as in ``Range.draw``.
    """

    def __init__(
        self,
        seed: int,
        furnace_id: str,
        schedule: Schedule,
        ahead_ns: int = 0,
        *,
        beyond: float = 0.0,
    ) -> None:
        self._ahead_ns = ahead_ns
        self._seed = seed
        self._furnace_id = furnace_id
        self._schedule = schedule
        self._key = key_of(seed, furnace_id)
        self._own = (seed, self._key)
        self._traits = Traits.of(self._key, beyond)
        self._still = draw_still(self._traits, self._key)
        self._slope = tuple(np.gradient(self._still.lit + self._still.glow, axis=(0, 1)))
        self._mist = Mist(self._traits, self._key)
        self._lookalikes = Lookalikes(self._traits, self._still, self._key)
        self._noise = d.SensorNoise(self._traits.noise, key_of(self._key, "sensor"))

    @property
    def furnace_id(self) -> str:
        """The furnace's id."""
        return self._furnace_id

    @property
    def still(self) -> Still:
        """What stands still in its picture."""
        return self._still

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
        faults = self._near(times_ns, p.SPOT_COOLING_S)
        return amperes(self._traits, self._own, times_ns, faults).astype(np.float32)

    def masks(self, event_times_ns: TimesNs) -> NDArray[np.uint8]:
        """Return the truth: ``(n, 64, 64)``, uint8, 1 where the shell glows, seen or hidden."""
        times_ns = event_times_ns - self._ahead_ns
        masks = np.zeros((len(times_ns), SIDE, SIDE), dtype=np.uint8)
        moved = d.shake(self._traits, self._key, times_ns)
        for spot in self._spots(times_ns):
            masks |= spot.patch(times_ns).glow(moved, self._still.shell) > p.MASK_LIMIT
        return masks

    def strength(self, event_times_ns: TimesNs) -> FloatArray:
        """Return how far a fault has developed at each instant: ``(n,)``, 0..1."""
        times_ns = event_times_ns - self._ahead_ns
        developed = np.zeros(len(times_ns))
        for fault in self._near(times_ns, p.SPOT_COOLING_S):
            developed = np.maximum(developed, strength(fault, times_ns))
        return developed

    def causes(self, event_times_ns: TimesNs) -> dict[str, NDArray[np.bool_]]:
        """Return, by name, when something that is no fault shows: each ``(n,)``."""
        times_ns = event_times_ns - self._ahead_ns
        traits, key = self._traits, self._key
        air = self._air(times_ns)
        splash, reflection = self._lookalikes.warmths(times_ns)
        return {
            "splash": splash > FAINT,
            "reflection": reflection > FAINT,
            "flare": flare_at(self._still, traits, key, times_ns)[-1] > FAINT,
            "heavy mist": air.mist > 0.75 * p.HEAVY_MIST_OPACITY,
            "dense steam": air.steam > p.STEAM_OPACITY / 2,
            "lamp": d.lamp(key, times_ns) != 0,
            "electrode move": (electrode_moves(traits, key, times_ns) != 0).any(axis=1),
            "tap change": tap_changes(traits, key, times_ns) != 0,
            "arc unrest": unrest(traits, key, times_ns) > 0,
            "phase drop": (drop_outs(traits, key, times_ns) != 1).any(axis=1),
        }

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
        faults = self._near(times_ns, p.SPOT_COOLING_S)
        return tuple(place_spot(fault, self._still, self._seed) for fault in faults)

    def _near(self, times_ns: TimesNs, margin_s: float) -> tuple[Fault, ...]:
        """Return the faults within a margin of any of the instants, by start."""
        if not len(times_ns):
            return ()
        margin_ns = int(margin_s * NS_PER_S)
        first, last = int(times_ns.min()), int(times_ns.max())
        return self._schedule.between(self._furnace_id, first - margin_ns, last + margin_ns)

    def _lights(self, times_ns: TimesNs) -> Lights:
        """Return what lights the picture: nothing of it follows the currents."""
        return Lights(
            d.ambient(self._traits, self._key, times_ns),
            d.melt_light(self._key, times_ns),
            np.ones(len(times_ns)),
        )

    def _air(self, times_ns: TimesNs) -> Air:
        """Return what is in the air."""
        near = self._near(times_ns, LONGEST_LEAD_S)
        return air_at(self._traits, self._own, times_ns, near)

    def _draw(self, times_ns: TimesNs) -> NDArray[np.uint8]:
        traits, key, still = self._traits, self._key, self._still
        moved = d.shake(traits, key, times_ns)
        lights = self._lights(times_ns)
        light = _rgb(lights.hall)
        picture = still.lit * light + still.glow * _rgb(lights.melt)
        for slope, distance in zip(self._slope, moved, strict=True):
            picture += slope * _rgb(distance)
        for spot in self._spots(times_ns):
            spot.patch(times_ns).add_glow(picture, moved, still.shell)
        self._lookalikes.add_lookalikes(picture, times_ns, moved)
        add_flames(picture, still, traits, key, times_ns, lights.fuel)
        self._mist.hide(picture, self._air(times_ns), light, times_ns)
        picture *= np.array([traits.balance_red, 1.0, traits.balance_blue], dtype=np.float32)
        self._noise.add_noise(picture, times_ns)
        return np.clip(picture + np.float32(0.5), 0, 255).astype(np.uint8)


def _rgb(values: FloatArray) -> Image:
    return per_frame(values)[..., None]
