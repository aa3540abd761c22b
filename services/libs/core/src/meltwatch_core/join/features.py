"""Plain numbers of a window for people and reports; no verdict uses them."""

from collections.abc import Sequence

import numpy as np
from meltwatch_schemas.bounds import MAX_FEATURE
from meltwatch_schemas.encoder import PATCH_VALUES
from meltwatch_schemas.score import Features
from numpy.typing import NDArray


class FeatureExtractor:
    """Computes ``Features`` from what a window sees.

    Parameters
    ----------
    basis
        The encoder's basis, shape ``(d, 192)``, float32. The mean grey of a patch is linear in
        its embedding e: ``mean(B^T e) = e . (B 1) / 192``, and in a cosine basis all but the
        first coefficient have weight zero, so nothing is decoded.
    """

    def __init__(self, basis: NDArray[np.float32]) -> None:
        weights = basis.sum(axis=1, dtype=np.float64) / PATCH_VALUES
        self._used = np.flatnonzero(np.abs(weights) > 1e-6)
        self._weights = weights[self._used]

    def greys(self, clip: NDArray[np.float16]) -> NDArray[np.float64]:
        """Return the mean grey of each patch, shape ``(clip_frames, 64)``."""
        greys: NDArray[np.float64] = clip[:, :, self._used].astype(np.float64) @ self._weights
        return greys

    def features(
        self, clip: NDArray[np.float16] | None, currents_a: NDArray[np.float32] | None
    ) -> Features:
        """Return the features of the available modalities.

        Parameters
        ----------
        clip
            Shape ``(clip_frames, 64, d)``, float16, oldest first, or None.
        currents_a
            Shape ``(lookback_samples, 3)``, float32, amperes, oldest first, or None.

        Notes
        -----
        With the phase means ``m_p`` over the look-back and ``m`` their mean: ``current_mean_a`` is
        ``m_p``, ``current_std_a`` the population standard deviation, ``imbalance`` is
        ``max |m_p - m| / |m|`` (0 without current). With the mean grey ``g_st`` of patch s in
        slot t: ``video_mean`` is the mean of ``g`` over the newest slot, ``video_motion`` the mean
        of ``|g_st - g_s,t-1|``, in greys.
        """
        mean_a = std_a = imbalance = video_mean = video_motion = None
        if currents_a is not None:
            # Phase by phase in memory: three times as fast as sums over columns.
            samples_a = np.ascontiguousarray(currents_a.T, dtype=np.float64)
            means_a = samples_a.mean(axis=1)
            deviations_a = np.sqrt(((samples_a - means_a[:, None]) ** 2).mean(axis=1))
            mean_a, std_a = tuple(means_a.tolist()), tuple(deviations_a.tolist())
            imbalance = _imbalance(mean_a)
        if clip is not None:
            greys = self.greys(clip)
            video_mean = float(greys[-1].mean())
            video_motion = float(np.abs(greys[1:] - greys[:-1]).mean())
        return Features(mean_a, std_a, imbalance, video_mean, video_motion)


def _imbalance(means_a: Sequence[float]) -> float:
    mean_a = sum(means_a) / len(means_a)
    share = max(abs(phase_a - mean_a) for phase_a in means_a) / abs(mean_a) if mean_a else 0.0
    return min(share, MAX_FEATURE)  # the phases cancel out except for the last bit
