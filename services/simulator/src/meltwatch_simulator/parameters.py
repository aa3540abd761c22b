"""Every number of the simulated plant: value or range, unit, reason.

Ranges are wide on purpose: a model that is trained over many furnaces drawn from them works on a
furnace that it has never seen. A furnace's own value is drawn by name, so that a new parameter
changes no other furnace's looks.
"""

from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np

from meltwatch_simulator.randomness import key_of, uniform

NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Range:
    """A parameter that differs from furnace to furnace (or from event to event)."""

    low: float
    high: float
    unit: str
    reason: str

    def at(self, fraction: float) -> float:
        """Return the value at a fraction 0..1 of the range."""
        return self.low + (self.high - self.low) * fraction

    def draw(self, key: int) -> float:
        """Return the value that belongs to a key."""
        return self.at(float(uniform(key, np.zeros(1, dtype=np.int64))[0]))


@dataclass(frozen=True, slots=True)
class Traits:
    """What makes one furnace differ from another; each field is drawn from ``RANGES``."""

    shell_left: float
    shell_right: float
    shell_lean: float
    rim: float
    rim_curve: float
    floor: float
    steel: float
    steel_green: float
    steel_blue: float
    wall: float
    roughness: float
    rib_period: float
    rib_depth: float
    hoop_period: float
    glow: float
    glow_reach: float
    glow_green: float
    flame_rate: float
    flare_chance: float
    mist_thickness: float
    mist_white: float
    mist_speed: float
    light_swing: float
    shake: float
    noise: float
    balance_red: float
    balance_blue: float
    level_a: float
    phase_spread: float
    electrode: float
    arc: float
    drop_chance: float

    @classmethod
    def of(cls, key: int) -> Self:
        """Draw the traits that belong to a furnace's key."""
        names = (field.name for field in fields(cls))
        return cls(**{name: RANGES[name].draw(key_of(key, name)) for name in names})


RANGES: Final = {
    "shell_left": Range(3, 15, "px", "cameras are not centred; the shell fills most of the crop"),
    "shell_right": Range(49, 61, "px", "as shell_left"),
    "shell_lean": Range(-0.06, 0.06, "px/px", "cameras are not level"),
    "rim": Range(10, 22, "px from top", "room above the shell for glow, flames, electrodes"),
    "rim_curve": Range(-4, 5, "px", "the rim is a circle seen from above or below"),
    "floor": Range(55, 70, "px from top", "a strip of floor below, or none"),
    "steel": Range(42, 105, "grey", "exposure is set for the shell; soot darkens it"),
    "steel_green": Range(0.84, 1.0, "of red", "rust makes the shell brown, dust makes it grey"),
    "steel_blue": Range(0.7, 1.02, "of red", "as steel_green"),
    "wall": Range(12, 55, "grey", "the hall behind is dark"),
    "roughness": Range(0.05, 0.14, "of brightness", "scale, dust, welds"),
    "rib_period": Range(6, 15, "px", "stiffeners of the shell"),
    "rib_depth": Range(0.0, 0.25, "of brightness", "some shells have none"),
    "hoop_period": Range(11, 24, "px", "hoops around the shell"),
    "glow": Range(90, 220, "grey", "the melt's light at the mouth; often saturates"),
    "glow_reach": Range(3, 8, "px", "how far that light runs down the shell"),
    "glow_green": Range(0.5, 0.72, "of red", "white balance of a camera that looks into fire"),
    "flame_rate": Range(0.3, 1.0, "of full size", "how much gas burns at the mouth"),
    "flare_chance": Range(0.15, 0.55, "per 9 s", "flares and spatter: bright, short, moving"),
    "mist_thickness": Range(0.1, 0.4, "opacity", "everyday water mist of the shell's cooling"),
    "mist_white": Range(95, 185, "grey", "mist scatters what light there is"),
    "mist_speed": Range(5, 16, "px/s", "draught in the hall"),
    "light_swing": Range(0.04, 0.18, "of brightness", "daylight, lamps, the neighbour's melt"),
    "shake": Range(0.1, 0.6, "px", "cranes and fans shake the camera"),
    "noise": Range(1.2, 3.5, "grey", "sensor noise at the gain that a dark hall needs"),
    "balance_red": Range(0.92, 1.08, "gain", "cameras differ in white balance"),
    "balance_blue": Range(0.9, 1.1, "gain", "as balance_red"),
    "level_a": Range(5600, 8200, "A", "phase currents of the published recordings lie there"),
    "phase_spread": Range(0.01, 0.06, "of level", "electrodes burn unevenly"),
    "electrode": Range(0.012, 0.035, "of level", "operators move electrodes every half minute"),
    "arc": Range(0.012, 0.035, "of level", "the arc burns unsteadily"),
    "drop_chance": Range(0.05, 0.3, "per 20 s", "a phase drops out for a moment: means nothing"),
}

# Of a single fault, drawn by its own key.
SPOT_RADIUS: Final = Range(4.2, 7.5, "px", "radius after half a minute of growth")
SPOT_STRETCH: Final = Range(0.75, 1.35, "height / width", "spots follow the lining, not a circle")
SPOT_HEAT: Final = Range(0.6, 1.0, "of 230 greys of red", "a semi-molten shell glows dull red")
SPOT_GREEN: Final = Range(0.16, 0.34, "of red", "from dull red to orange-red")
FAULT_LEVEL: Final = Range(0.01, 0.03, "of level", "the melt nears the shell: all phases rise")
FAULT_IMBALANCE: Final = Range(0.02, 0.05, "of level", "the phase beside the spot rises most")
FAULT_ARC: Final = Range(1.2, 1.6, "of usual arc noise", "and burns less steadily")

SPOT_HEATING_S: Final = 5.0
"""Seconds from the first warmth to full glow."""
SPOT_GROWTH_S: Final = 30.0
"""Seconds from the first warmth to full size."""
SPOT_COOLING_S: Final = 3.0
"""Seconds of after-glow once the operator has cut the power."""
SPOT_START_SIZE: Final = 0.45
"""Size at the first warmth, of full size: below it a pixel of 5 cm shows nothing."""
MASK_LIMIT: Final = 0.3
"""Glow above which a pixel counts as anomalous in the truth."""
HEAVY_MIST_OPACITY: Final = 0.84
"""Mean opacity of heavy mist: a spot shows through thin places only."""
HEAVY_MIST_LEAD_S: Final = 4.0
"""Heavy mist comes up before its fault and goes after it."""
