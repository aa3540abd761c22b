"""Whether a window's content can be trusted: what of it may be used, and why not all.

Pure functions of clip and grid find what is wrong. They decide nothing alone: a source that never
showed live data may be a test signal or a simple gateway, so only one that did can be said to have
stopped (ADR 0010). ``SourceWatch`` remembers that, and follows the clocks record by record. Each
score carries its ``source_states``; a furnace that is restored goes on from its last published
ones. The features are plain numbers for people and reports; no verdict uses them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import sqrt
from typing import Final

import numpy as np
from meltwatch_schemas.bounds import MAX_FEATURE
from meltwatch_schemas.encoder import PATCH_VALUES
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import Features, Modality, SourceState
from numpy.typing import NDArray

from meltwatch_core.join.buffers import Chunk
from meltwatch_core.join.frames import Clip, HeldFrame
from meltwatch_core.join.rules import JoinRules, QualityLimits
from meltwatch_core.join.samples import CurrentGrid
from meltwatch_core.join.source_clock import clock_words, followed, is_set_back


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
        used = np.flatnonzero(np.abs(weights) > 1e-6)
        self._weights = weights[used]
        # In a cosine basis it is one column: a slice of it is a view, no copy.
        first = int(used[0])
        is_one = used.size == 1
        self._used: slice | NDArray[np.intp] = slice(first, first + 1) if is_one else used
        self._seen: NDArray[np.float16] | None = None
        self._seen_greys = np.empty(0)

    def greys(self, frames: NDArray[np.float16]) -> NDArray[np.float64]:
        """Return the mean grey of each patch, shape ``(..., 64)`` of ``(..., 64, d)``.

        Whoever asks again for the frames that were looked at last is given the same array: nobody
        writes into it, nor into frames.
        """
        if frames is not self._seen:
            greys = frames[..., self._used].astype(np.float64) @ self._weights
            self._seen, self._seen_greys = frames, greys
        return self._seen_greys

    def features(
        self, greys: NDArray[np.float64] | None, currents_a: NDArray[np.float32] | None
    ) -> Features:
        """Return the features of the available modalities.

        Parameters
        ----------
        greys
            Those of the clip, shape ``(clip_frames, 64)``, oldest first, or None.
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
            samples_a = np.array(currents_a.T, dtype=np.float64, order="C")
            means_a = np.add.reduce(samples_a, axis=1) / len(currents_a)
            samples_a -= means_a[:, None]
            squares = np.add.reduce(np.square(samples_a, out=samples_a), axis=1).tolist()
            mean_a = tuple(means_a.tolist())
            std_a = tuple([sqrt(square / len(currents_a)) for square in squares])
            imbalance = _imbalance(mean_a)
        if greys is not None:
            changes = np.abs(greys[1:] - greys[:-1])
            video_mean = float(np.add.reduce(greys[-1]) / greys.shape[1])
            video_motion = float(np.add.reduce(changes, axis=None) / changes.size)
        return Features(mean_a, std_a, imbalance, video_mean, video_motion)


def _imbalance(means_a: Sequence[float]) -> float:
    mean_a = sum(means_a) / len(means_a)
    share = max([abs(phase_a - mean_a) for phase_a in means_a]) / abs(mean_a) if mean_a else 0.0
    return min(share, MAX_FEATURE)  # the phases cancel out except for the last bit


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
    """

    def __init__(self, limits: QualityLimits) -> None:
        self._limits = limits

    def video(
        self, frames: Sequence[HeldFrame], greys: NDArray[np.float64], features: Features
    ) -> list[Finding]:
        """Return what is wrong with a clip.

        ``frozen_video``: all frames are bit-identical, which the noise of a live camera prevents.
        ``black_video``, ``saturated_video``: nearly all patches of every frame are dark, or at
        full scale. Each makes the clip unusable.

        Parameters
        ----------
        frames, greys
            The clip, and the mean greys of its patches, shape ``(clip_frames, 64)``.
        features
            Those of the clip: most pictures need no second look.
        """
        words = []
        if (features.video_motion or 0.0) < _STILL and _are_still(frames):
            words.append(FROZEN_VIDEO)
        limits, mean = self._limits, features.video_mean or 0.0
        largest_dark = limits.patch_share * limits.dark_grey + (1 - limits.patch_share) * _WHITEST
        if mean <= largest_dark and self._all_between(greys, _DARKEST, limits.dark_grey):
            words.append(BLACK_VIDEO)
        elif mean >= limits.patch_share * limits.full_grey and self._all_between(
            greys, limits.full_grey, _WHITEST
        ):
            words.append(SATURATED_VIDEO)
        return [Finding(word, unusable=True) for word in words]

    def is_live_video(self, greys: NDArray[np.float64]) -> bool:
        """Tell whether most frames of a clip differ from the one before."""
        changes = np.abs(np.diff(greys, axis=0))
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
        extremes_a = np.fmax.reduce(sizes_a, axis=1, keepdims=True)
        found = self._lost(sizes_a, extremes_a)
        if grid.values_a is not None:
            found += self._stuck(grid.values_a)
            found += self._clipped(sizes_a, extremes_a)
        return found

    def is_live_current(self, values_a: NDArray[np.float32]) -> bool:
        """Tell whether most values of each phase differ from the one before."""
        changed = values_a[1:] != values_a[:-1]
        return all(_are_most(changed[:, phase]) for phase in range(changed.shape[1]))

    def _all_between(self, greys: NDArray[np.float64], low: float, high: float) -> bool:
        shares = np.mean((greys >= low) & (greys <= high), axis=1)
        return bool(shares.min() >= self._limits.patch_share)

    def _lost(self, sizes_a: NDArray[np.float32], extremes_a: NDArray[np.float32]) -> list[Finding]:
        ratio = self._limits.lost_ratio
        values_a, largest_a = sizes_a.reshape(-1), extremes_a.reshape(-1)
        # NaN is the least and the largest, and compares as not above.
        if values_a[values_a.argmin()] >= ratio * largest_a[largest_a.argmax()]:
            return []
        largest_at_a = np.fmax.reduce(sizes_a, axis=0)
        lost = ~(sizes_a >= ratio * largest_at_a) & (largest_at_a >= self._limits.off_a)
        count = int(np.count_nonzero(lost, axis=1).max())
        if count < self._limits.marked_share * sizes_a.shape[1]:
            return []
        return [Finding(LOST_PHASE, count >= self._limits.unusable_share * sizes_a.shape[1])]

    def _stuck(self, values_a: NDArray[np.float32]) -> list[Finding]:
        """Judge with missing values repeated: a lost sample does not end a standstill."""
        repeated = values_a[1:] == values_a[:-1]
        if not np.count_nonzero(repeated):
            return []
        repeated &= np.abs(values_a[1:]) >= self._limits.off_a
        least = self._limits.unusable_share * len(values_a)
        if max(_longest_run(phase) + 1 for phase in repeated.T) < least:
            return []
        return [Finding(STUCK_CURRENT, _longest_run(repeated.all(axis=1)) + 1 >= least)]

    def _clipped(
        self, sizes_a: NDArray[np.float32], extremes_a: NDArray[np.float32]
    ) -> list[Finding]:
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


def _are_still(frames: Sequence[HeldFrame]) -> bool:
    bits = [frame.embedding.view(np.uint16) for frame in frames]
    return all(np.array_equal(before, after) for before, after in pairwise(bits))


def _are_most(chosen: NDArray[np.bool_]) -> bool:
    return 2 * int(np.count_nonzero(chosen)) > chosen.size


def _longest_run(chosen: NDArray[np.bool_]) -> int:
    ends = np.flatnonzero(np.concatenate(([True], ~chosen, [True])))
    return int(np.diff(ends).max()) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Usable:
    """The parts of a window that may be used.

    Attributes
    ----------
    frames, currents_a
        Clip and grid; None where unavailable.
    features
        Of what is available.
    irregularities
        Words for what is wrong with a source, usable or not; a modality without any is absent.
    """

    frames: Sequence[HeldFrame] | None
    currents_a: NDArray[np.float32] | None
    features: Features
    irregularities: Mapping[Modality, tuple[Reason, ...]]


class SourceWatch:
    """Camera and meter of one furnace in one life.

    Parameters
    ----------
    rules
        The window rule's numbers.
    features
        Computes a window's features.
    states
        Those that an earlier life's last published score tells.
    """

    def __init__(
        self,
        rules: JoinRules,
        features: FeatureExtractor,
        states: Mapping[Modality, SourceState] | None = None,
    ) -> None:
        self._rules = rules
        self._features = features
        self._check = QualityCheck(rules.quality)
        self._states = dict(states or {})

    @property
    def states(self) -> dict[Modality, SourceState]:
        """Per modality with a source, the state that decides the quality of later windows."""
        return dict(self._states)

    @property
    def set_back(self) -> list[Modality]:
        """The modalities whose clock went back and has not reached its old time yet."""
        return [modality for modality, state in self._states.items() if is_set_back(state)]

    def follow(self, chunk: Chunk) -> None:
        """Take the next record."""
        modality, span_ns = chunk.modality, (chunk.first_event_ns, chunk.last_event_ns)
        self._states[modality] = followed(
            self._states.get(modality),
            chunk.identity,
            span_ns,
            self._rules.quality,
            self._rules.reach_ns(modality),
        )

    def forget_proof(self) -> None:
        """Forget what is proven of the sources: nothing came for a whole look-back."""
        self._states = {m: state._replace(proven=False) for m, state in self._states.items()}

    def inspect(self, end_ns: int, clip: Clip, grid: CurrentGrid) -> Usable:
        """Return what a window may use of its clip and grid; windows come in order."""
        frames, currents_a, check = clip.frames, grid.values_a, self._check
        greys = None if frames is None else np.array([frame.greys for frame in frames])
        features = self._features.features(greys, currents_a)
        video, current = [], check.current(grid)
        if frames is not None and greys is not None:
            video = check.video(frames, greys, features)
            if not self._trusts(Modality.VIDEO, video, partial(check.is_live_video, greys)):
                frames = None
                features = replace(features, video_mean=None, video_motion=None)
        if currents_a is not None:
            is_live = partial(check.is_live_current, currents_a)
            if not self._trusts(Modality.CURRENT, current, is_live):
                currents_a = None
                features = replace(
                    features, current_mean_a=None, current_std_a=None, imbalance=None
                )
        found = {Modality.VIDEO: video, Modality.CURRENT: current}
        return Usable(frames, currents_a, features, self._words(found, end_ns))

    def _trusts(
        self, modality: Modality, findings: list[Finding], is_live: Callable[[], bool]
    ) -> bool:
        """Tell whether a modality may be used; only a source that was live can have stopped."""
        state = self._states.get(modality)
        if state is None:  # a published score without states: nothing is proven
            return True
        if not state.proven and not findings and is_live():
            self._states[modality] = state._replace(proven=True)
        return not (state.proven and any(finding.unusable for finding in findings))

    def _words(
        self, found: Mapping[Modality, list[Finding]], end_ns: int
    ) -> dict[Modality, tuple[Reason, ...]]:
        words = {}
        for modality, state in self._states.items():
            content, clock = found[modality], clock_words(state, modality, end_ns, self._rules)
            if content or clock:
                words[modality] = (*(finding.word for finding in content), *clock)
        # A fixed order, whichever source spoke first.
        return {modality: words[modality] for modality in Modality if modality in words}
