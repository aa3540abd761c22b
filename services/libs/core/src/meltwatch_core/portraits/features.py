"""What a portrait knows of a window: a few numbers of each patch, and of the currents."""

from typing import Final

import numpy as np
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

PLACES: Final = 8
"""Zig-zag places of the cosine basis: shade, slopes and bars of a patch, no finer grain."""
COLOURS: Final = 3
NEWEST: Final = 5
"""Frames that are averaged: sparks and noise of one frame mean nothing."""
PATCH_FEATURES: Final = PLACES * COLOURS + COLOURS

PHASES: Final = 3
SPANS_S: Final = (4, 10, 20, 40)
DEVIATION: Final = 0.02
"""Unit of a deviation, of the median."""
LIMIT: Final = 8.0
LEAST_A: Final = 1.0
"""A phase without current has no deviations to speak of."""
CURRENT_FEATURES: Final = (PHASES + 1) * (2 * len(SPANS_S) + 2)
_SAMPLES_PER_S: Final = NS_PER_S / PUBLISHED_SPEC.sample_period_ns


def patch_features(clips: NDArray[np.floating]) -> FloatArray:
    """Return what is known of each patch.

    Parameters
    ----------
    clips
        Embeddings ``(n, frames, 64, d)``, oldest frame first, ``d`` at least 24.

    Returns
    -------
    Shape ``(n, 64, 27)``: the mean of the newest frames' first 24 coefficients, and for the first
    of each colour ``log(1 + standard deviation)``, which is motion.
    """
    newest = clips[:, -NEWEST:, :, : PLACES * COLOURS].astype(np.float64)
    motion = np.log1p(newest[..., :COLOURS].std(axis=1))
    return np.concatenate([newest.mean(axis=1), motion], axis=-1)


def current_features(grids: NDArray[np.floating]) -> FloatArray:
    """Return what is known of the currents.

    Parameters
    ----------
    grids
        Amperes ``(n, 240, 3)``, oldest first.

    Returns
    -------
    Shape ``(n, 40)``. The three phases and their mean are deviations from their own medians over
    the look-back, in units of 2 %, limited to ±8. Of each: medians and standard deviations over the
    newest 4, 10, 20 and 40 s, the mean step from sample to sample, and the logarithm of the median.
    """
    amperes = grids.astype(np.float64)
    series = np.concatenate([amperes, amperes.mean(axis=2, keepdims=True)], axis=2)
    median = np.maximum(np.median(series, axis=1, keepdims=True), LEAST_A)
    deviations = np.clip((series - median) / (DEVIATION * median), -LIMIT, LIMIT)
    found = []
    for span_s in SPANS_S:
        newest = deviations[:, -round(span_s * _SAMPLES_PER_S) :]
        found += [np.median(newest, axis=1), newest.std(axis=1)]
    found += [np.abs(np.diff(deviations, axis=1)).mean(axis=1), np.log(median[:, 0])]
    return np.concatenate(found, axis=1)
