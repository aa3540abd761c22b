"""What is wrong with the content of a window: pure functions of its clip and its grid.

Nothing here decides alone that a modality is not used: a source that never showed live data may
be a test signal or a simple gateway, so only one that did can be said to have stopped (ADR 0010).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import Features
from numpy.typing import NDArray

from meltwatch_core.join.features import FeatureExtractor
from meltwatch_core.join.rules import QualityLimits
from meltwatch_core.join.samples import CurrentGrid

FROZEN_VIDEO: Final = Reason.FROZEN_VIDEO
BLACK_VIDEO: Final = Reason.BLACK_VIDEO
SATURATED_VIDEO: Final = Reason.SATURATED_VIDEO
STUCK_CURRENT: Final = Reason.STUCK_CURRENT
CLIPPED_CURRENT: Final = Reason.CLIPPED_CURRENT
LOST_PHASE: Final = Reason.LOST_PHASE

# Mean greys of pictures lie within 0..255 but for the rounding of float16 coefficients, which grows
# with them. Numbers that are no picture go below, and are not called black.
_DARKEST: Final = -0.01
_WHITEST: Final = 255.2
# Greys of equal embeddings may differ in the last bits, those of live ones by a hundredth.
_STILL: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a modality of a window.

    Attributes
    ----------
    word
        For the score's ``reasons``.
    unusable
        Too wrong for a verdict, provided that the source has shown live data before.
    """

    word: Reason
    unusable: bool


class QualityCheck:
    """Finds what is wrong with clips and grids.

    Parameters
    ----------
    limits
        From which values on something is wrong.
    features
        Gives the mean grey of a patch without decoding it.
    """

    def __init__(self, limits: QualityLimits, features: FeatureExtractor) -> None:
        self._limits = limits
        self._features = features

    def video(self, clip: NDArray[np.float16], features: Features) -> list[Finding]:
        """Return what is wrong with a clip.

        ``frozen_video``: all frames are bit-identical, which the noise of a live camera prevents.
        ``black_video``, ``saturated_video``: nearly all patches of every frame are dark, or at
        full scale. Each makes the clip unusable.

        Parameters
        ----------
        clip
            Shape ``(clip_frames, 64, d)``, float16.
        features
            Those of the clip: most pictures need no second look.
        """
        words = []
        if (features.video_motion or 0.0) < _STILL and _is_still(clip):
            words.append(FROZEN_VIDEO)
        limits, mean = self._limits, features.video_mean or 0.0
        largest_dark = limits.patch_share * limits.dark_grey + (1 - limits.patch_share) * _WHITEST
        if mean <= largest_dark and self._all_between(clip, _DARKEST, limits.dark_grey):
            words.append(BLACK_VIDEO)
        elif mean >= limits.patch_share * limits.full_grey and self._all_between(
            clip, limits.full_grey, _WHITEST
        ):
            words.append(SATURATED_VIDEO)
        return [Finding(word, unusable=True) for word in words]

    def is_live_video(self, clip: NDArray[np.float16]) -> bool:
        """Tell whether most frames of a clip differ from the one before."""
        changes = np.abs(np.diff(self._features.greys(clip), axis=0))
        return _are_most(changes.max(axis=1) > _STILL)

    def current(self, grid: CurrentGrid) -> list[Finding]:
        """Return what is wrong with a grid, available or not.

        ``stuck_current``: a phase that carries current repeats one value for a quarter of the
        look-back; unusable if all three do at once. ``clipped_current``: a share of a phase's
        values is exactly its largest magnitude. ``lost_phase``: for a share of the look-back a
        phase is near zero or cannot be read while another carries current. With all three at
        zero the furnace is off, which is no fault.
        """
        if grid.own_a is None:
            return []
        # Phase by phase in memory, which is several times as fast.
        sizes_a = np.abs(np.ascontiguousarray(grid.own_a.T))
        found = self._lost(sizes_a)
        if grid.values_a is not None:
            found += self._stuck(grid.values_a)
            found += self._clipped(sizes_a)
        return found

    def is_live_current(self, values_a: NDArray[np.float32]) -> bool:
        """Tell whether most values of each phase differ from the one before."""
        changed = values_a[1:] != values_a[:-1]
        return all(_are_most(changed[:, phase]) for phase in range(changed.shape[1]))

    def _all_between(self, clip: NDArray[np.float16], low: float, high: float) -> bool:
        greys = self._features.greys(clip)
        shares = np.mean((greys >= low) & (greys <= high), axis=1)
        return bool(shares.min() >= self._limits.patch_share)

    def _lost(self, sizes_a: NDArray[np.float32]) -> list[Finding]:
        ratio = self._limits.lost_ratio
        # NaN compares as not above.
        if sizes_a.min() >= ratio * sizes_a.max():
            return []
        largest_a = np.fmax.reduce(sizes_a, axis=0)
        lost = ~(sizes_a >= ratio * largest_a) & (largest_a >= self._limits.off_a)
        count = int(np.count_nonzero(lost, axis=1).max())
        if count < self._limits.marked_share * sizes_a.shape[1]:
            return []
        return [Finding(LOST_PHASE, count >= self._limits.unusable_share * sizes_a.shape[1])]

    def _stuck(self, values_a: NDArray[np.float32]) -> list[Finding]:
        """Judge with missing values repeated: a lost sample does not end a standstill."""
        repeated = values_a[1:] == values_a[:-1]
        if not repeated.any():
            return []
        repeated &= np.abs(values_a[1:]) >= self._limits.off_a
        least = self._limits.unusable_share * len(values_a)
        if max(_longest_run(phase) + 1 for phase in repeated.T) < least:
            return []
        return [Finding(STUCK_CURRENT, _longest_run(repeated.all(axis=1)) + 1 >= least)]

    def _clipped(self, sizes_a: NDArray[np.float32]) -> list[Finding]:
        extremes_a = np.fmax.reduce(sizes_a, axis=1, keepdims=True)
        extreme = sizes_a == extremes_a
        least = self._limits.marked_share * sizes_a.shape[1]
        if np.count_nonzero(extreme) < least:
            return []
        counts = [
            int(np.count_nonzero(at_extreme))
            for phase_a, at_extreme in zip(sizes_a, extreme, strict=True)
            if self._tells_clipping(phase_a)
        ]
        count = max(counts, default=0)
        if count < least:
            return []
        return [Finding(CLIPPED_CURRENT, count >= self._limits.unusable_share * sizes_a.shape[1])]

    def _tells_clipping(self, phase_a: NDArray[np.float32]) -> bool:
        """Tell whether a phase carries current and its meter resolves it finely enough."""
        levels_a = np.unique(phase_a[~np.isnan(phase_a)])
        fine = levels_a.size > self._limits.clipped_levels
        return fine and bool(levels_a[-1] >= self._limits.off_a)


def _is_still(clip: NDArray[np.float16]) -> bool:
    bits = clip.view(np.uint16)
    return bool((bits[1:] == bits[:-1]).all())


def _are_most(chosen: NDArray[np.bool_]) -> bool:
    return 2 * int(np.count_nonzero(chosen)) > chosen.size


def _longest_run(chosen: NDArray[np.bool_]) -> int:
    ends = np.flatnonzero(np.concatenate(([True], ~chosen, [True])))
    return int(np.diff(ends).max()) - 1
