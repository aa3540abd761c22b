"""What a portrait sees of a furnace, window by window."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from meltwatch_core.portraits import current_features, patch_features
from meltwatch_core.portraits.features import (
    COLOURS,
    DEVIATION,
    LEAST_A,
    LIMIT,
    NEWEST,
    PHASES,
    PLACES,
)
from meltwatch_schemas.encoder import PATCH_VALUES, Encoder, dct_basis
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from meltwatch_simulator.unseen import UnseenFurnace
from numpy.typing import NDArray

from meltwatch_trainer.data.operation import LogOddsScorer
from meltwatch_trainer.data.simulated_runs import ORIGIN_NS
from meltwatch_trainer.settings import EVERY
from meltwatch_trainer.unseen.happenings import at_ns

FloatArray = NDArray[np.float64]

HOP_S: Final = EVERY * PUBLISHED_SPEC.hop_ns / NS_PER_S
"""As the study's runs: all windows would take seven times as long."""
GAP_S: Final = 2 * HOP_S
"""After a longer pause following begins anew."""
_ENCODER: Final = Encoder("dct", dct_basis(PLACES * COLOURS))
_RANDOM_SEED: Final = 1
SMOOTHED: Final = 4
"""Samples of the currents that make one step of ``SeenWindows.series``: 2 s."""


def _random_encoder() -> Encoder:
    """Return as many random orthonormal directions of a patch as the portrait has cosines."""
    draws = np.random.default_rng(_RANDOM_SEED).normal(size=(PATCH_VALUES, PLACES * COLOURS))
    directions, _ = np.linalg.qr(draws)
    return Encoder("random", np.ascontiguousarray(directions.T.astype(np.float32)))


_BLOCK: Final = 256
"""Windows drawn at a time."""
_ASKED: Final = 32
"""Windows that an ensemble is asked about at a time."""


@dataclass(frozen=True, slots=True)
class SeenWindows:
    """What is known of a run of windows.

    Attributes
    ----------
    times_s
        Shape ``(n,)``: window ends, seconds from the origin.
    video
        Shape ``(n, 64, 27)``.
    current
        Shape ``(n, 1, 40)``.
    random
        As ``video``, of random directions in place of cosines.
    series
        Shape ``(n, 60, 3)``: the look-back of the currents, means of 2 s, deviations from each
        phase's median in units of 2 %.
    """

    times_s: FloatArray
    video: FloatArray
    current: FloatArray
    random: FloatArray
    series: FloatArray

    def within(self, start_s: float, end_s: float) -> "SeenWindows":
        """Return the windows that end within ``[start_s, end_s)``."""
        own = (self.times_s >= start_s) & (self.times_s < end_s)
        return SeenWindows(*(getattr(self, each.name)[own] for each in fields(self)))


def watch(furnace: UnseenFurnace, start_s: float, end_s: float) -> SeenWindows:
    """Watch a furnace through each seventh window that ends within ``[start_s, end_s)``."""
    spec = PUBLISHED_SPEC
    hop_ns = round(HOP_S * NS_PER_S)
    ends_ns = np.arange(at_ns(start_s) + hop_ns, at_ns(end_s), hop_ns, dtype=np.int64)
    back_ns = np.arange(NEWEST - 1, -1, -1, dtype=np.int64) * spec.frame_stride_ns
    video, current, random, series = [], [], [], []
    directions = _random_encoder()
    for first in range(0, len(ends_ns), _BLOCK):
        part = ends_ns[first : first + _BLOCK]
        frames = furnace.frames((part[:, None] - back_ns).ravel())
        shape = len(part), NEWEST, -1, PLACES * COLOURS
        video.append(patch_features(_ENCODER.encode(frames).reshape(shape)))
        random.append(patch_features(directions.encode(frames).reshape(shape)))
        grids = _look_backs(furnace, part)
        current.append(current_features(grids)[:, None])
        series.append(_smoothed(grids))
    times_s = (ends_ns - ORIGIN_NS) / NS_PER_S
    return SeenWindows(times_s, *map(np.concatenate, (video, current, random, series)))


def served_logits(
    furnace: UnseenFurnace, times_s: FloatArray, ensemble: LogOddsScorer
) -> FloatArray:
    """Return what the ensemble says of the windows that end at ``times_s``, ``(n,)``."""
    ends_ns = np.array([at_ns(each) for each in times_s])
    spec = PUBLISHED_SPEC
    back_ns = np.arange(spec.clip_frames - 1, -1, -1, dtype=np.int64) * spec.frame_stride_ns
    logits = []
    for first in range(0, len(ends_ns), _ASKED):
        part = ends_ns[first : first + _ASKED]
        frames = furnace.frames((part[:, None] - back_ns).ravel())
        clips = frames.reshape(len(part), spec.clip_frames, *frames.shape[1:])
        logits.append(ensemble.logits(clips, _look_backs(furnace, part), "both"))
    return np.concatenate(logits).astype(np.float64)


def _look_backs(furnace: UnseenFurnace, ends_ns: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the currents that windows look back on, ``(n, 240, 3)``."""
    spec = PUBLISHED_SPEC
    reach_ns = np.arange(spec.lookback_samples - 1, -1, -1, dtype=np.int64) * spec.sample_period_ns
    samples_ns, sample_of = np.unique(
        (ends_ns[:, None] - reach_ns) // spec.sample_period_ns * spec.sample_period_ns,
        return_inverse=True,
    )
    return furnace.currents(samples_ns)[sample_of.reshape(len(ends_ns), -1)]


def _smoothed(grids: NDArray[np.floating]) -> FloatArray:
    """Return the look-backs ``(n, 240, 3)`` as ``SeenWindows.series``."""
    median = np.maximum(np.median(grids, axis=1, keepdims=True), LEAST_A)
    deviations = np.clip((grids - median) / (DEVIATION * median), -LIMIT, LIMIT)
    smoothed: FloatArray = deviations.reshape(len(grids), -1, SMOOTHED, PHASES).mean(axis=2)
    return smoothed
