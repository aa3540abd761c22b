"""What stands still in a furnace's picture: shell, hall, floor, where the mouth's light falls."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_simulator.parameters import Traits
from meltwatch_simulator.randomness import FloatArray, fade, key_of, texture

Image = NDArray[np.float32]

SIDE: Final = 64
ROWS: Final = np.arange(SIDE, dtype=np.float64)[:, None]
COLUMNS: Final = np.arange(SIDE, dtype=np.float64)[None, :]


@dataclass(frozen=True, slots=True)
class Still:
    """The parts of the picture that do not move.

    Attributes
    ----------
    lit
        ``(64, 64, 3)``: what ambient light shows, greys.
    glow
        ``(64, 64, 3)``: the melt's light at full strength, greys to add.
    shell
        ``(64, 64)``: how much of a pixel is shell, 0..1.
    left, right, rim
        Edges of the shell in pixels at half height; height of the rim at its middle.
    """

    lit: Image
    glow: Image
    shell: Image
    left: float
    right: float
    rim: float

    @property
    def spot_room(self) -> tuple[float, float, float, float]:
        """Left, right, top, bottom of where on the shell a spot's middle may lie, pixels."""
        return self.left + 6.0, self.right - 6.0, self.rim + 9.0, SIDE - 10.0


def draw_still(traits: Traits, key: int) -> Still:
    """Draw a furnace; ``key`` seeds its textures."""
    lean = traits.shell_lean * (ROWS - SIDE / 2)
    left, right = traits.shell_left + lean, traits.shell_right + lean
    across = (2 * COLUMNS - left - right) / (right - left)
    rim = traits.rim + traits.rim_curve * (across * across - 0.5)
    shell = _edge(COLUMNS - left) * _edge(right - COLUMNS) * _edge(ROWS - rim)
    lit = shell[..., None] * _steel(traits, across, key) + (1 - shell)[..., None] * _hall(
        traits, key
    )
    lit = _floor(traits, lit)
    return Still(
        lit=lit.astype(np.float32),
        glow=_mouth_light(traits, across, rim).astype(np.float32),
        shell=shell.astype(np.float32),
        left=traits.shell_left,
        right=traits.shell_right,
        rim=traits.rim,
    )


def per_frame(values: FloatArray) -> Image:
    """Return ``(n,)`` as float32 ``(n, 1, 1)``, to meet pictures of one channel."""
    return values.astype(np.float32)[:, None, None]


def _edge(distance: FloatArray) -> FloatArray:
    """Return how much of a pixel lies inside, from its signed distance to the edge in pixels."""
    return np.clip(distance * 0.6 + 0.5, 0.0, 1.0)


def _rough(key: int, name: str) -> FloatArray:
    fine = texture(key_of(key, name, "fine"), SIDE, 2)
    coarse = texture(key_of(key, name, "coarse"), SIDE, 8)
    return 0.6 * fine + 0.8 * coarse


def _steel(traits: Traits, across: FloatArray, key: int) -> FloatArray:
    round_shade = 0.4 + 0.6 * np.sqrt(np.clip(1 - across * across, 0.0, 1.0))
    ribs = 1 - traits.rib_depth * _bars(COLUMNS / traits.rib_period, 0.25)
    hoops = 1 - 0.2 * _bars(ROWS / traits.hoop_period, 0.12)
    shade = round_shade * ribs * hoops * (1 + traits.roughness * _rough(key, "steel"))
    rust = np.clip(texture(key_of(key, "rust"), SIDE, 16) - 0.6, 0.0, 1.0)[..., None]
    colour = np.array([1.0, traits.steel_green, traits.steel_blue])
    tint = colour * (1 + rust * np.array([0.25, -0.08, -0.22]))
    steel: FloatArray = traits.steel * shade[..., None] * tint
    return steel


def _bars(periods: FloatArray, share: float) -> np.ndarray:
    """Tell which places lie on a bar: one around each whole number, ``share`` of a period wide."""
    bars: np.ndarray = np.abs(periods - np.rint(periods)) < share / 2
    return bars


def _hall(traits: Traits, key: int) -> FloatArray:
    shade = traits.wall * (1 + 0.25 * _rough(key, "wall"))
    hall: FloatArray = shade[..., None] * np.array([0.95, 1.0, 1.05])
    return hall


def _floor(traits: Traits, lit: FloatArray) -> FloatArray:
    below = _edge(ROWS - traits.floor)[..., None]
    floor: FloatArray = below * traits.wall * np.array([0.8, 0.75, 0.7])
    return lit * (1 - below) + floor


def _mouth_light(traits: Traits, across: FloatArray, rim: FloatArray) -> FloatArray:
    inside = np.sqrt(np.clip(1.1 - np.abs(across), 0.0, 1.0))
    below = fade(np.clip(ROWS - rim, 0, None) / traits.glow_reach)
    above = fade(np.square(np.clip(rim - ROWS, 0, None) / 5.0))
    light = traits.glow * inside * np.where(rim < ROWS, 0.55 * below, above)
    colour = np.array([1.0, traits.glow_green, 0.45 * traits.glow_green])
    coloured: FloatArray = light[..., None] * colour
    return coloured
