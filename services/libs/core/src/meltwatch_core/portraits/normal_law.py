"""Gaussians of normal operation, one for each place, and how far a window lies outside them."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from meltwatch_schemas.portrait import MAX_EXPONENT, PackedMode
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

OWN: Final = 0.9
"""Share of a place's own covariance; the rest is the mean over all places."""
RIDGE: Final = 1e-3
"""Of the mean variance, added to each variance."""
_LEAST: Final = 1e-12
"""Of a squared distance: its logarithm stays finite."""
_TOP_BIT: Final = 14
"""A packed place's largest factor lies in ``[2**14, 2**15)``: float16 ends at 65504."""


@dataclass(frozen=True, slots=True)
class NormalLaw:
    """A Gaussian for each place.

    Attributes
    ----------
    mean
        Shape ``(places, k)``.
    factor
        Shape ``(places, k, k)``: lower Cholesky factor of the inverse covariance.
    """

    mean: NDArray[np.floating]
    factor: NDArray[np.floating]

    def levels(self, features: FloatArray) -> FloatArray:
        """Return the logarithm of each place's squared distance, ``(n, places)``.

        Parameters
        ----------
        features
            Shape ``(n, places, k)``.
        """
        square = np.square(self.whitened(features)).sum(axis=-1)
        levels: FloatArray = np.log(np.maximum(square, _LEAST))
        return levels

    def whitened(self, features: FloatArray) -> FloatArray:
        """Return each place as far spread in every direction, shaped as ``features``.

        Each window by itself, so that its bits do not depend on those that are asked beside it.
        """
        off = features - self.mean
        whitened: FloatArray = (off[..., None, :] @ self.factor)[..., 0, :]
        return whitened

    def packed(self) -> PackedMode:
        """Return the law as it stands in a message, rounded."""
        rows, columns = np.tril_indices(self.factor.shape[-1])
        triangles = self.factor[:, rows, columns]
        largest = np.maximum(np.abs(triangles).max(axis=1), np.finfo(np.float32).tiny)
        exponents = np.floor(np.log2(largest)) - _TOP_BIT
        exponents = np.clip(exponents, -MAX_EXPONENT, MAX_EXPONENT).astype(np.int16)
        scaled = np.ldexp(triangles, -exponents[:, None].astype(np.int32))
        return PackedMode(self.mean.astype(np.float32), exponents, scaled.astype(np.float16))

    @classmethod
    def unpacked(cls, packed: PackedMode) -> Self:
        """Return the law of a message."""
        places, numbers = packed.mean.shape
        rows, columns = np.tril_indices(numbers)
        factor = np.zeros((places, numbers, numbers), np.float32)
        exponents = packed.exponents[:, None].astype(np.int32)
        factor[:, rows, columns] = np.ldexp(packed.factor.astype(np.float32), exponents)
        return cls(packed.mean, factor)


def fit_law(features: FloatArray, own: float = OWN) -> NormalLaw:
    """Fit the law of normal operation.

    Parameters
    ----------
    features
        Shape ``(n, places, k)``: windows of normal operation, at least two.
    own
        Share of each place's own covariance.
    """
    mean = features.mean(axis=0)
    off = features - mean
    covariance = np.einsum("npi,npj->pij", off, off, optimize=True) / len(features)
    shared = own * covariance + (1 - own) * covariance.mean(axis=0)
    ridge = RIDGE * np.trace(shared, axis1=1, axis2=2) / shared.shape[-1]
    shared += np.maximum(ridge, _LEAST)[:, None, None] * np.eye(shared.shape[-1])
    return NormalLaw(mean, np.linalg.cholesky(np.linalg.inv(shared)))
