"""Glowing places on the shell: what spots, splashes and reflections share; a fault's spot."""

from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from meltwatch_simulator import parameters as p
from meltwatch_simulator.development import fault_key, size, strength
from meltwatch_simulator.parameters import NS_PER_S
from meltwatch_simulator.randomness import FloatArray, TimesNs, key_of, texture, uniform, wander
from meltwatch_simulator.schedule import Fault
from meltwatch_simulator.still import SIDE, Image, Still, per_frame

Moved = tuple[FloatArray, FloatArray]
"""The camera's displacement (down, across), each ``(n,)``, pixels."""

_ROWS = np.arange(SIDE, dtype=np.float32)[None, :, None]
_COLUMNS = np.arange(SIDE, dtype=np.float32)[None, None, :]


@dataclass(frozen=True, slots=True)
class Patch:
    """Where a place glows, how large, how bright and in which colour; ``(n,)``, by instant.

    Attributes
    ----------
    x, y, radius
        Pixels.
    stretch
        Height over width.
    warmth
        0 (nothing) to about 1.
    heat, green
        Red in units of 230 greys; green over red.
    lumps
        ``(64, 64)``, makes the outline irregular; the same at all instants.
    """

    x: FloatArray
    y: FloatArray
    radius: FloatArray
    stretch: FloatArray
    warmth: FloatArray
    heat: FloatArray
    green: FloatArray
    lumps: Image

    def glow(self, moved: Moved, shell: Image) -> Image:
        """Return each pixel's glow ``(n, 64, 64)``, 0 to about 1.3."""
        down = (_ROWS - per_frame(self.y - moved[0])) / per_frame(self.stretch)
        across = _COLUMNS - per_frame(self.x - moved[1])
        distance = (down * down + across * across) / per_frame(self.radius * self.radius)
        outline = np.float32(1.2) + np.float32(0.22) * self.lumps
        profile: Image = np.clip(outline - np.float32(1.1) * distance, 0.0, 1.2, dtype=np.float32)
        glow: Image = per_frame(self.warmth) * (profile * shell)
        return glow

    def add_glow(self, picture: Image, moved: Moved, shell: Image) -> None:
        """Let the shell glow, in place: dull red at the edge, orange in the middle.

        Parameters
        ----------
        picture
            ``(n, 64, 64, 3)``, greys.
        """
        (warm,) = np.nonzero(self.warmth)
        if not len(warm):
            return
        patch = self._at(warm)
        glow = patch.glow((moved[0][warm], moved[1][warm]), shell)
        red = per_frame(230.0 * patch.heat) * glow
        picture[warm, ..., 0] += red
        picture[warm, ..., 1] += red * per_frame(patch.green) * (np.float32(0.5) + glow)
        picture[warm, ..., 2] += red * np.float32(0.06)

    def _at(self, which: NDArray[np.intp]) -> Self:
        by_instant = (field.name for field in fields(self) if field.name != "lumps")
        return replace(self, **{name: getattr(self, name)[which] for name in by_instant})


@dataclass(frozen=True, slots=True)
class Spot:
    """Where and how one fault glows.

    Attributes
    ----------
    x, y, radius
        Pixels; the radius once it has grown.
    stretch, heat, green
        As in ``Patch``.
    lumps
        ``(64, 64)``, makes the outline irregular.
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

    def patch(self, times_ns: TimesNs) -> Patch:
        """Return the spot at each instant ``(n,)``."""
        breathing = 1.0 + 0.08 * wander(key_of(self.key, "breath"), times_ns, 3 * NS_PER_S)
        always = partial(np.full, times_ns.shape)
        return Patch(
            x=always(self.x),
            y=always(self.y),
            radius=self.radius * size(self.fault, times_ns),
            stretch=always(self.stretch),
            warmth=strength(self.fault, times_ns) * breathing,
            heat=always(self.heat),
            green=always(self.green),
            lumps=self.lumps,
        )


def place_spot(fault: Fault, still: Still, seed: int) -> Spot:
    """Place a fault's spot on its shell; the same fault always gets the same spot."""
    key = fault_key(seed, fault)
    x, y, _ = uniform(key_of(key, "place"), np.arange(3)).tolist()
    left, right, top, bottom = still.spot_room
    return Spot(
        fault=fault,
        key=key,
        x=left + (right - left) * x,
        y=top + (bottom - top) * y,
        radius=p.SPOT_RADIUS.draw(key_of(key, "radius")),
        stretch=p.SPOT_STRETCH.draw(key_of(key, "stretch")),
        heat=p.SPOT_HEAT.draw(key_of(key, "heat")),
        green=p.SPOT_GREEN.draw(key_of(key, "green")),
        lumps=_lumps(key_of(key, "lumps")),
    )


@lru_cache(maxsize=32)
def _lumps(key: int) -> Image:
    """Return a spot's texture; kept, since its fault is drawn many times."""
    lumps: Image = texture(key, SIDE, 4).astype(np.float32)
    lumps.setflags(write=False)
    return lumps
