"""A glowing place on the shell: what a hot spot, a splash and a reflection have in common."""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from meltwatch_simulator.randomness import FloatArray
from meltwatch_simulator.still import SIDE, Image, per_frame

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

    def add(self, picture: Image, moved: Moved, shell: Image) -> None:
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
