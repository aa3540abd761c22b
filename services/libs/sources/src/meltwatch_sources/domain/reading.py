"""What a meter said, in amperes of the phases, with all the times that are known of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from meltwatch_schemas.bounds import MAX_CURRENT_A
from meltwatch_schemas.current import PHASES
from numpy.typing import NDArray

ALL_PHASES: Final = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class MeterReading:
    """What a meter answered or told.

    Attributes
    ----------
    values
        Shape ``(3,)``, float32, amperes of the three phases; NaN where none could be read.
    source_ns
        What the source's own clock said, ns UTC, or None.
    asked_ns, answered_ns
        When it was asked and answered, ns UTC of this host; of a pushed value both are its arrival.
    quality
        Empty if good, else what the source said of it.
    phases
        Those that it tells of, 0 to 2. Of none: the source only proves that it is alive.
    """

    values: NDArray[np.float32]
    source_ns: int | None
    asked_ns: int
    answered_ns: int
    quality: str = ""
    phases: tuple[int, ...] = ALL_PHASES

    @property
    def has_value(self) -> bool:
        """Whether it tells of any phase what flows there."""
        return any(np.isfinite(self.values[phase]) for phase in self.phases)


def nothing() -> NDArray[np.float32]:
    """Return the values of a moment without any, shape ``(3,)``, NaN."""
    return np.full(PHASES, np.nan, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Wiring:
    """From what a meter shows to the amperes of the phases.

    Attributes
    ----------
    scale
        Amperes of the electrode per unit that is shown.
    phases
        For each value in the meter's order, which phase it is: 0, 1 or 2, each once.
    """

    scale: float = 1.0
    phases: tuple[int, int, int] = (0, 1, 2)

    def amperes(self, shown: Sequence[float]) -> NDArray[np.float32]:
        """Return the amperes of phases a, b and c, shape ``(3,)``; NaN where there is no value.

        What no electrode can carry is no value: a wrong order of bytes reads as 1e38.
        """
        found = nothing()
        for number, phase in zip(shown, self.phases, strict=True):
            found[phase] = self.ampere(number)
        return found

    def ampere(self, shown: float) -> float:
        """Return the amperes of one value, NaN if it is none."""
        amperes = shown * self.scale
        # NaN compares as not within.
        return amperes if abs(amperes) <= MAX_CURRENT_A else math.nan
