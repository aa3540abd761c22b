"""Every number of the simulated plant: value or range, unit, reason.

Ranges are wide on purpose: a model that is trained over many furnaces drawn from them works on a
furnace that it has never seen. A furnace's own value is drawn by name, so that a new parameter
changes no other furnace's looks.
"""

from dataclasses import dataclass, fields
from math import inf
from typing import Final, Self

import numpy as np

from meltwatch_simulator.randomness import key_of, uniform

NS_PER_S: Final = 1_000_000_000

SIMULATOR_REVISION: Final = 3
"""Raise it with any change of what a furnace shows: data of another revision is void."""


@dataclass(frozen=True, slots=True)
class Range:
    """A parameter that differs from furnace to furnace (or from event to event).

    Attributes
    ----------
    low, high
        Usual values.
    least
        Below it the parameter means nothing; matters to furnaces beyond the usual ones alone.
    """

    low: float
    high: float
    unit: str
    reason: str
    least: float = -inf

    def at(self, fraction: float) -> float:
        """Return the value at a fraction of the range: 0..1 inside it."""
        return self.low + (self.high - self.low) * fraction

    def draw(self, key: int, beyond: float = 0.0) -> float:
        """Return the value that belongs to a key.

        Parameters
        ----------
        beyond
            0: inside the range. Otherwise outside, on either side, by up to this many widths.
        """
        fraction = float(uniform(key, np.zeros(1, dtype=np.int64))[0])
        if beyond:
            fraction = -2 * fraction * beyond if fraction < 0.5 else 1 + (2 * fraction - 1) * beyond
        return max(self.least, self.at(fraction))


@dataclass(frozen=True, slots=True)
class Traits:
    """The traits by which furnaces differ; each field is drawn from ``RANGES``."""

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
    splash_chance: float
    reflection_chance: float
    steam_chance: float
    level_a: float
    phase_spread: float
    drift: float
    electrode: float
    electrode_s: float
    arc: float
    arc_s: float
    drop_chance: float
    move_chance: float
    tap_chance: float
    unrest_chance: float

    @classmethod
    def of(cls, key: int, beyond: float = 0.0) -> Self:
        """Draw the traits that belong to a furnace's key; ``beyond`` as in ``Range.draw``."""
        names = (field.name for field in fields(cls))
        return cls(**{name: RANGES[name].draw(key_of(key, name), beyond) for name in names})


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
    "wall": Range(12, 55, "grey", "the hall behind is dark", least=4),
    "roughness": Range(0.05, 0.14, "of brightness", "scale, dust, welds"),
    "rib_period": Range(6, 15, "px", "stiffeners of the shell"),
    "rib_depth": Range(0.0, 0.25, "of brightness", "some shells have none", least=0),
    "hoop_period": Range(11, 24, "px", "hoops around the shell"),
    "glow": Range(90, 220, "grey", "the melt's light at the mouth; often saturates"),
    "glow_reach": Range(3, 8, "px", "how far that light runs down the shell"),
    "glow_green": Range(0.5, 0.72, "of red", "white balance of a camera that looks into fire"),
    "flame_rate": Range(0.3, 1.0, "of full size", "how much gas burns at the mouth"),
    "flare_chance": Range(0.15, 0.55, "per 9 s", "flares and spatter: bright, short, moving"),
    "mist_thickness": Range(0.1, 0.4, "opacity", "everyday water mist of the shell's cooling"),
    "mist_white": Range(95, 185, "grey", "mist scatters what light there is"),
    "mist_speed": Range(5, 16, "px/s", "draught in the hall"),
    "light_swing": Range(
        0.04, 0.18, "of brightness", "daylight, lamps, the neighbour's melt", least=0
    ),
    "shake": Range(0.1, 0.6, "px", "cranes and fans shake the camera", least=0),
    "noise": Range(1.2, 3.5, "grey", "sensor noise at the gain that a dark hall needs", least=0.5),
    "balance_red": Range(0.92, 1.08, "gain", "cameras differ in white balance"),
    "balance_blue": Range(0.9, 1.1, "gain", "as balance_red"),
    "splash_chance": Range(0.002, 0.01, "per 150 s", "melt splashes on the shell and cools"),
    "reflection_chance": Range(0.02, 0.08, "per 150 s", "wet or bare steel mirrors the melt"),
    "steam_chance": Range(0.2, 0.6, "per 400 s", "dense steam: far more often than a veiled fault"),
    "level_a": Range(5600, 8200, "A", "phase currents of the published recordings lie there"),
    "phase_spread": Range(0.01, 0.06, "of level", "electrodes burn unevenly", least=0),
    "drift": Range(0.01, 0.03, "of level", "the charge melts down; all phases follow"),
    "electrode": Range(0.012, 0.035, "of level", "controllers trim the electrodes all the time"),
    "electrode_s": Range(14, 28, "s", "how often they do"),
    "arc": Range(0.012, 0.035, "of level", "the arc burns unsteadily"),
    "arc_s": Range(0.6, 1.6, "s", "a quiet slag makes slower arcs than an open bath"),
    "drop_chance": Range(0.05, 0.3, "per 20 s", "a phase drops out: means nothing", least=0),
    "move_chance": Range(0.15, 0.5, "per 220 s", "operators move one electrode for a while"),
    "tap_chance": Range(0.1, 0.4, "per 400 s", "the transformer is set to another tap"),
    "unrest_chance": Range(0.1, 0.35, "per 130 s", "charge falls in: the arcs burn restlessly"),
}

VEILED_SHARE: Final = 0.06
"""Share of faults behind dense steam that a study uses: cameras are blind for long now and then."""
SILENT_SHARE: Final = 0.25
"""Share of faults that the currents do not show: the melt nears the shell without the arcs."""

# Of a single fault, drawn by its own key.
SPOT_RADIUS: Final = Range(4.2, 7.5, "px", "radius once it has grown")
SPOT_STRETCH: Final = Range(0.75, 1.35, "height / width", "spots follow the lining, not a circle")
SPOT_HEAT: Final = Range(0.6, 1.0, "of 230 greys of red", "a semi-molten shell glows dull red")
SPOT_GREEN: Final = Range(0.16, 0.34, "of red", "from dull red to orange-red")
FAULT_LEVEL: Final = Range(0.01, 0.05, "of level", "the melt nears the shell: all phases rise")
FAULT_IMBALANCE: Final = Range(0.02, 0.06, "of level", "the phase beside the spot rises most")
FAULT_UNREST: Final = Range(0.2, 1.0, "of usual arc noise", "added: it burns less steadily")
TWO_SIGNS_FROM: Final = 0.25
THREE_SIGNS_FROM: Final = 0.85
"""A quarter of the faults show one of the three signs, most two, some all."""

# Events that look like a fault and are none; their strengths and lengths overlap with a fault's.
SPLASH_LENGTH: Final = Range(15, 60, "s", "a palm-thick splash cools within a minute")
SPLASH_GREEN: Final = Range(0.55, 0.8, "of red", "yellow-hot at first, half of it when cold")
REFLECTION_LENGTH: Final = Range(10, 60, "s", "until the wet place dries or the bath moves")
REFLECTION_GREEN: Final = Range(0.5, 0.75, "of red", "as glow_green: the melt's own light")
HEAVY_MIST_LENGTH: Final = Range(15, 45, "s", "as long as most faults")
STEAM_LENGTH: Final = Range(40, 200, "s", "as long as a veil around a fault")
MOVE_SHIFT: Final = Range(0.02, 0.06, "of level, either sign", "as FAULT_IMBALANCE")
MOVE_HOLD: Final = Range(15, 90, "s", "until the operator moves it back")
MOVE_RAMP: Final = Range(2, 5, "s", "hydraulics are slow")
TAP_SHIFT: Final = Range(0.01, 0.04, "of level, either sign", "as FAULT_LEVEL")
TAP_HOLD: Final = Range(30, 180, "s", "as long as a fault")
UNREST: Final = Range(0.2, 1.0, "of usual arc noise", "as FAULT_UNREST")
UNREST_LENGTH: Final = Range(10, 60, "s", "until the charge has settled")

SPOT_HEATING_OF_LENGTH: Final = 1 / 7
SPOT_HEATING: Final = Range(5, 20, "s", "first warmth to full glow: slower in slow faults")
SPOT_GROWTH_OF_LENGTH: Final = 0.7
SPOT_GROWTH: Final = Range(20, 150, "s", "first warmth to full size: slower in slow faults")
SPOT_COOLING_S: Final = 3.0
"""Seconds of after-glow once the operator has cut the power."""
SPOT_START: Final = Range(0.25, 0.45, "of full size", "at first warmth: slow faults begin smaller")
SPOT_LENGTHS: Final = Range(45, 180, "s", "quick faults, slow faults: the ends of SPOT_START")
MASK_LIMIT: Final = 0.3
"""Glow above which a pixel counts as anomalous in the truth."""
HEAVY_MIST_OPACITY: Final = 0.84
"""Mean opacity of heavy mist: a spot shows through thin places only."""
HEAVY_MIST_LEAD_S: Final = 4.0
"""Heavy mist comes up before its fault and goes after it."""
STEAM_OPACITY: Final = 0.998
"""Dense steam has no holes; at 0.97 a spot would still stand ten greys above the noise."""
STEAM_RAMP_S: Final = 5.0
"""How long dense steam takes to come and to go."""
VEIL_LEAD: Final = Range(8, 30, "s", "steam comes before the veiled fault and stays: no hint of it")
