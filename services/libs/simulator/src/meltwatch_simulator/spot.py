"""The fault as the camera sees it: a red spot that grows on the shell."""

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from meltwatch_simulator import parameters as p
from meltwatch_simulator.development import fault_key, size, strength
from meltwatch_simulator.parameters import NS_PER_S
from meltwatch_simulator.patch import Patch
from meltwatch_simulator.randomness import TimesNs, key_of, texture, uniform, wander
from meltwatch_simulator.schedule import Fault
from meltwatch_simulator.still import SIDE, Image, Still


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
