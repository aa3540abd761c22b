"""Which frames and samples make a window of a benchmark recording, and which frames are judged.

The published loader does two things that this one does only when asked for ``published``: its
currents reach up to half a second beyond the judged frame, and a frame too early for a whole clip
is replaced by a random one, which may belong to the other split.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_trainer.errors import BenchmarkError

LOOK_BACK: Final = 240
"""Samples: 120 s."""

IntArray = NDArray[np.int64]


class LoaderRule(StrEnum):
    """How windows are read: with nothing from later than the judged frame, or as published."""

    CAUSAL = "causal"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """What a window is made of.

    Attributes
    ----------
    frames
        In the clip.
    stride
        From one frame of the clip to the next; 18 is 0.72 s.
    rule
        How currents end, and what becomes of early frames.
    """

    frames: int = 10
    stride: int = 18
    rule: LoaderRule = LoaderRule.CAUSAL

    def clip(self, frame: int) -> IntArray:
        """Return the frames of the clip that ends with a frame; before the first: the first."""
        back = np.arange(self.frames - 1, -1, -1, dtype=np.int64) * self.stride
        return np.maximum(frame - back, 0)

    def judged(self, split: IntArray, draw: Callable[[int, int], int]) -> IntArray:
        """Return the frames to judge for a split, one for each of its own.

        Parameters
        ----------
        split
            Frame numbers of one recording.
        draw
            Returns a random number within both bounds, as ``random.randint``; asked once for each
            frame that the published loader replaces, in their order.

        Raises
        ------
        BenchmarkError
            If the published replacement finds no frame to draw from.
        """
        earliest = self.frames * self.stride - 1
        if self.rule is LoaderRule.CAUSAL or not (split < earliest).any():
            return split
        # The bound is the split's length, not the recording's: so it is published.
        last = len(split) - 1
        if last < earliest:
            raise BenchmarkError(
                f"the published loader replaces frames before {earliest} by one of "
                f"{earliest}..{last}: expected a split of more than {earliest} frames, "
                f"got {len(split)}; use --loader causal or a smaller --stride"
            )
        return np.array(
            [draw(earliest, last) if frame < earliest else frame for frame in split.tolist()],
            dtype=np.int64,
        )


def look_back(samples: NDArray[np.float32], last: int) -> NDArray[np.float32]:
    """Return the 240 samples that end with one, ``(240, 3)``.

    Where fewer exist they are stretched by repetition, as published: ``k`` becomes
    ``floor(linspace(0, n - 1, 240)[k])``.
    """
    known = samples[max(0, last + 1 - LOOK_BACK) : last + 1]
    if len(known) == LOOK_BACK:
        return known
    return known[np.floor(np.linspace(0, len(known) - 1, LOOK_BACK)).astype(np.int64)]
