"""What a portrait sees of a furnace, window by window."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
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
from meltwatch_trainer.network.availability import AVAILABILITY
from meltwatch_trainer.network.member import Member
from meltwatch_trainer.release.served_weights import served_weights
from meltwatch_trainer.settings import EVERY
from meltwatch_trainer.train.build import build
from meltwatch_trainer.train.study import SHIPPED, study_model
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
_PATCHES: Final = 64


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
    logits = [ensemble.logits(*window, "both") for window in _asked_windows(furnace, times_s)]
    return np.concatenate(logits).astype(np.float64)


def member_tokens(
    furnace: UnseenFurnace, times_s: FloatArray, member: "FrozenMember"
) -> FloatArray:
    """Return what a member makes of each patch in the windows that end at ``times_s``.

    Returns
    -------
    Shape ``(n, 64, D)``: its newest encoded token of each patch.
    """
    tokens = [member.tokens(*window) for window in _asked_windows(furnace, times_s)]
    return np.concatenate(tokens).astype(np.float64)


def _asked_windows(
    furnace: UnseenFurnace, times_s: FloatArray
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Give clips and look-backs of the windows that end at ``times_s``, some at a time."""
    ends_ns = np.array([at_ns(each) for each in times_s])
    spec = PUBLISHED_SPEC
    back_ns = np.arange(spec.clip_frames - 1, -1, -1, dtype=np.int64) * spec.frame_stride_ns
    for first in range(0, len(ends_ns), _ASKED):
        part = ends_ns[first : first + _ASKED]
        frames = furnace.frames((part[:, None] - back_ns).ravel())
        clips = frames.reshape(len(part), spec.clip_frames, *frames.shape[1:])
        yield clips, _look_backs(furnace, part)


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


class FrozenMember:
    """Gives the tokens of a member.

    Parameters
    ----------
    member
        The network. Its weights are not changed.
    """

    def __init__(self, member: Member) -> None:
        self._member = member.eval()

    @torch.inference_mode()
    def tokens(
        self, clips: NDArray[np.uint8], currents: NDArray[np.float32], /
    ) -> NDArray[np.float32]:
        """Return the newest encoded token of each patch, ``(n, 64, D)``.

        Parameters
        ----------
        clips
            Shape ``(n, 10, 64, 64, 3)``, greys 0..255, oldest first.
        currents
            Shape ``(n, 240, 3)``, amperes, oldest first.
        """
        available = np.tile(np.array(AVAILABILITY["both"], np.float32), (len(clips), 1))
        window = (torch.from_numpy(each) for each in (clips, currents, available))
        ends = 1 + self._member.spec.standard_tokens
        newest = self._member.encode(*window).video[:, ends - _PATCHES : ends]
        tokens: NDArray[np.float32] = newest.numpy()
        return tokens


@cache
def first_member(repository: Path) -> FrozenMember:
    """Return the first member of a repository, on one thread of the processor.

    Raises
    ------
    RepositoryError
        If it is not there or of another shape.
    """
    torch.set_num_threads(1)
    model = study_model(SHIPPED[0])
    member = build(model)
    member.load_state_dict(served_weights(repository, model))
    return FrozenMember(cast("Member", member))
