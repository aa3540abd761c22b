"""Gaussians of normal operation, one for each place, and how far a window lies outside them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

OWN: Final = 0.9
"""Share of a place's own covariance; the rest is the mean over all places."""
RIDGE: Final = 1e-3
"""Of the mean variance, added to each variance."""
_LEAST: Final = 1e-12
"""Of a squared distance: its logarithm stays finite."""


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

    mean: FloatArray
    factor: FloatArray

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
