"""The fault as the camera and the meter see it: a red spot that grows, and uneasy currents."""

from dataclasses import dataclass

import numpy as np

from meltwatch_simulator import parameters as p
from meltwatch_simulator.parameters import NS_PER_S
from meltwatch_simulator.randomness import (
    FloatArray,
    TimesNs,
    key_of,
    smoothstep,
    texture,
    uniform,
    wander,
)
from meltwatch_simulator.schedule import Fault
from meltwatch_simulator.still import SIDE, Image, Still

_ROWS = np.arange(SIDE, dtype=np.float32)[None, :, None]
_COLUMNS = np.arange(SIDE, dtype=np.float32)[None, None, :]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where and how one fault glows.

    Attributes
    ----------
    x, y, radius
        Pixels; the radius after half a minute.
    stretch, heat, green
        Height over width; red in units of 230 greys; green over red.
    lumps
        ``(64, 64)``, makes the outline irregular.
    phase
        Index of the phase that stands beside the spot.
    """

    fault: Fault
    key: int
    x: float
    y: float
    radius: float
    stretch: float
    heat: float
    green: float
    lumps: Image
    phase: int

    def strength(self, times_ns: TimesNs) -> FloatArray:
        """Return 0..1: how far the fault has developed at each instant."""
        age_s = (times_ns - self.fault.start_ns) / NS_PER_S
        over_s = (times_ns - self.fault.end_ns) / NS_PER_S
        return smoothstep(age_s / p.SPOT_HEATING_S) * (1 - smoothstep(over_s / p.SPOT_COOLING_S))

    def glow(self, times_ns: TimesNs, moved: tuple[FloatArray, FloatArray]) -> Image:
        """Return each pixel's glow ``(n, 64, 64)``, 0 to about 1.3.

        Parameters
        ----------
        moved
            The camera's displacement (down, across), pixels.
        """
        age_s = (times_ns - self.fault.start_ns) / NS_PER_S
        grown = p.SPOT_START_SIZE + (1 - p.SPOT_START_SIZE) * np.clip(age_s / p.SPOT_GROWTH_S, 0, 1)
        radius = (self.radius * grown).astype(np.float32)[:, None, None]
        down = _ROWS - (self.y - moved[0]).astype(np.float32)[:, None, None]
        across = _COLUMNS - (self.x - moved[1]).astype(np.float32)[:, None, None]
        distance = (down / np.float32(self.stretch)) ** 2 + across**2
        profile: Image = np.clip(1.2 + 0.22 * self.lumps - 1.1 * distance / radius**2, 0.0, 1.2)
        breathing = 1.0 + 0.08 * wander(key_of(self.key, "breath"), times_ns, 3 * NS_PER_S)
        strength = (self.strength(times_ns) * breathing).astype(np.float32)[:, None, None]
        glow: Image = strength * profile
        return glow

    def add(self, picture: Image, glow: Image) -> None:
        """Let the shell glow, in place: dull red at the edge, orange in the middle."""
        red = np.float32(230.0 * self.heat) * glow
        picture[..., 0] += red
        picture[..., 1] += red * np.float32(self.green) * (np.float32(0.5) + glow)
        picture[..., 2] += red * np.float32(0.06)


def place_spot(fault: Fault, still: Still, seed: int) -> Spot:
    """Place a fault's spot on its shell; the same fault always gets the same spot."""
    key = key_of(seed, fault.furnace_id, fault.start_ns)
    radius = p.SPOT_RADIUS.draw(key_of(key, "radius"))
    x, y, phase = uniform(key_of(key, "place"), np.arange(3))
    left, right = still.left + 6.0, still.right - 6.0
    top, bottom = still.rim + 9.0, SIDE - 10.0
    return Spot(
        fault=fault,
        key=key,
        x=float(left + (right - left) * x),
        y=float(top + (bottom - top) * y),
        radius=radius,
        stretch=p.SPOT_STRETCH.draw(key_of(key, "stretch")),
        heat=p.SPOT_HEAT.draw(key_of(key, "heat")),
        green=p.SPOT_GREEN.draw(key_of(key, "green")),
        lumps=texture(key_of(key, "lumps"), SIDE, 4).astype(np.float32),
        phase=int(3 * phase),
    )
