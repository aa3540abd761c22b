"""Normal operation of more kinds than one: calm windows, and restless ones as in dense steam."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_core.portraits.normal_law import NormalLaw, fit_law

FloatArray = NDArray[np.float64]

VIDEO_MODES: Final = 2
CURRENT_MODES: Final = 3
FEWEST_OF_A_MODE: Final = 60
"""Windows: twice as many as a patch has numbers. Fewer are no mode."""
_ROUNDS: Final = 50


class NotFiniteError(ValueError):
    """A window's features are no numbers that could be compared."""


@dataclass(frozen=True, slots=True)
class LawOfModes:
    """Several laws, of which each place of a window need obey one.

    Attributes
    ----------
    modes
        At least one.
    """

    modes: tuple[NormalLaw, ...]

    def levels(self, features: FloatArray) -> FloatArray:
        """Return each place's level in the mode that it is most like, ``(n, places)``.

        Parameters
        ----------
        features
            Shape ``(n, places, k)``.

        Raises
        ------
        NotFiniteError
            If one is no finite number: a level that is none would never end.
        """
        _require_finite(features)
        lowest: FloatArray = np.min([mode.levels(features) for mode in self.modes], axis=0)
        return lowest

    def rounded(self) -> "LawOfModes":
        """Return the law as it comes out of a message: what is served is what is judged."""
        return LawOfModes(tuple(NormalLaw.unpacked(mode.packed()) for mode in self.modes))


def fit_modes(features: FloatArray, count: int) -> LawOfModes:
    """Fit at most so many modes of normal operation.

    Windows are sorted by how unlike the one law of them all each place is. The same windows give
    the same modes.

    Parameters
    ----------
    features
        Shape ``(n, places, k)``: windows of normal operation, at least two.
    count
        At least one.

    Raises
    ------
    NotFiniteError
        If a feature is no finite number.
    """
    _require_finite(features)
    one = fit_law(features)
    kinds = sorted_into(one.levels(features), count)
    if not kinds.any():
        return LawOfModes((one,))
    return LawOfModes(tuple(fit_law(features[kinds == each]) for each in range(kinds.max() + 1)))


def sorted_into(levels: FloatArray, count: int) -> NDArray[np.intp]:
    """Sort windows into at most so many kinds by k-means, ``(n,)``, numbered from 0.

    It begins with equal parts along the direction in which levels differ most, and draws nothing.
    A kind of too few windows is none: then one kind less is tried.

    Parameters
    ----------
    levels
        Shape ``(n, places)``.
    """
    if count == 1:
        return np.zeros(len(levels), np.intp)
    off = levels - levels.mean(axis=0)
    most = np.linalg.eigh(off.T @ off)[1][:, -1]
    rank = np.argsort(np.argsort(off @ most * np.sign(most.sum()), kind="stable"))
    kinds = rank * count // len(levels)
    for _ in range(_ROUNDS):
        own = kinds[:, None] == np.arange(count)
        centres = own.T @ off / np.maximum(own.sum(axis=0), 1)[:, None]
        nearest = np.square(off[:, None] - centres).sum(axis=-1).argmin(axis=1)
        if (nearest == kinds).all():
            break
        kinds = nearest
    fewest = np.bincount(kinds, minlength=count).min()
    return kinds if fewest >= FEWEST_OF_A_MODE else sorted_into(levels, count - 1)


def _require_finite(features: FloatArray) -> None:
    if not np.isfinite(features).all():
        bad = int((~np.isfinite(features)).any(axis=(1, 2)).sum())
        raise NotFiniteError(f"expected finite features, got {bad} of {len(features)} windows not")
