"""A portrait of one furnace's normal operation, and the surprise of what comes later."""

from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np
from meltwatch_schemas.portrait import PackedSide, PackedTail
from numpy.typing import NDArray

from meltwatch_core.alarms.setpoints.extremes import Tail
from meltwatch_core.portraits.modes import LawOfModes, fit_modes
from meltwatch_core.portraits.normal_law import NormalLaw
from meltwatch_core.portraits.persistence import follow, raw_novelty
from meltwatch_core.portraits.surprise import SurpriseScale, fit_scale

FloatArray = NDArray[np.float64]

_HELD_OUT: Final = 1 / 3
"""Newest share of the windows, from which the portrait learns what is rare."""


def fitted_count(windows: int) -> int:
    """Return how many of so many windows, the oldest, make the law; the rest is held out."""
    return windows - round(_HELD_OUT * windows)


class PlaceLaw(Protocol):
    """Tells how unlike normal operation each place is."""

    def levels(self, features: FloatArray) -> FloatArray:
        """Return the level of each place, ``(n, places)``, of ``(n, places, k)``."""


@dataclass(frozen=True, slots=True)
class UsualLevels:
    """What a modality's places are compared with.

    Attributes
    ----------
    law
        Of its places.
    median
        Shape ``(places,)``: the usual level of each, from which following begins.
    rise_per_s
        How fast a followed level may rise.
    """

    law: PlaceLaw
    median: FloatArray
    rise_per_s: float

    def raw(self, features: FloatArray, times_s: FloatArray, gap_s: float) -> FloatArray:
        """Return the raw novelty of each window, ``(n,)``.

        Parameters
        ----------
        features
            Shape ``(n, places, k)``, in order of time.
        times_s
            Shape ``(n,)``: their ends.
        gap_s
            After a longer pause following begins anew.
        """
        levels = self.law.levels(features)
        breaks = np.flatnonzero(np.diff(times_s) > gap_s) + 1
        runs = zip(np.split(levels, breaks), np.split(times_s, breaks), strict=True)
        followed = [
            follow(run, at_s, self.median, float(at_s[0]), self.rise_per_s) for run, at_s in runs
        ]
        return raw_novelty(np.concatenate(followed))


@dataclass(frozen=True, slots=True)
class PortraitSide:
    """One modality of a portrait.

    Attributes
    ----------
    usual
        What its places are compared with.
    scale
        How rare a raw novelty is.
    """

    usual: UsualLevels
    scale: SurpriseScale

    def surprises(self, features: FloatArray, times_s: FloatArray, gap_s: float) -> FloatArray:
        """Return the surprise of each window, ``(n,)``; parameters as of ``UsualLevels.raw``."""
        return self.scale.surprise(self.usual.raw(features, times_s, gap_s))

    def packed(self) -> PackedSide:
        """Return it as it stands in a message.

        Raises
        ------
        TypeError
            If its law is none of modes: a study may try others, a message holds none.
        """
        law, tail = self.usual.law, self.scale.tail
        if not isinstance(law, LawOfModes):
            raise TypeError(f"expected a law of modes, got {type(law).__name__}")
        return PackedSide(
            tuple(mode.packed() for mode in law.modes),
            self.usual.median.astype(np.float32),
            self.usual.rise_per_s,
            self.scale.reached.astype(np.float32),
            PackedTail(tail.level, tail.shape, tail.scale, tail.rate),
        )

    @classmethod
    def unpacked(cls, packed: PackedSide) -> Self:
        """Return what a message says."""
        law = LawOfModes(tuple(NormalLaw.unpacked(mode) for mode in packed.modes))
        return cls(
            UsualLevels(law, packed.median.astype(np.float64), packed.rise_per_s),
            SurpriseScale(packed.reached, Tail(*packed.tail)),
        )


def fit_side(
    features: FloatArray, times_s: FloatArray, gap_s: float, rise_per_s: float, modes: int = 1
) -> PortraitSide:
    """Make one modality's side of a portrait.

    Parameters
    ----------
    features
        Shape ``(n, places, k)``: windows of normal operation, in order of time.
    times_s
        Shape ``(n,)``: their ends.
    gap_s
        After a longer pause following begins anew.
    rise_per_s
        How fast a followed level may rise.
    modes
        Of how many kinds its normal operation may be.

    Raises
    ------
    TooFewWindowsError
        If there are too few windows.
    NotFiniteError
        If a feature is no finite number.
    """
    kept = fitted_count(len(features))
    law = fit_modes(features[:kept], modes).rounded()
    median = np.median(law.levels(features[:kept]), axis=0).astype(np.float32).astype(np.float64)
    usual = UsualLevels(law, median, rise_per_s)
    return PortraitSide(usual, fit_scale(usual.raw(features[kept:], times_s[kept:], gap_s)))
