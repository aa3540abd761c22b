"""The metrics of the FMF-Benchmark as its authors define them; positive is abnormal.

Their FDR and MDR are what others call false-positive and false-negative rate.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

EPSILON: Final = 1e-5
"""Keeps the published quotients finite; it is in their denominators."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often what was said met what was so.

    Attributes
    ----------
    hits, false_alarms
        Said to be abnormal, rightly and wrongly.
    misses, rejections
        Said to be normal, wrongly and rightly.
    """

    hits: int = 0
    false_alarms: int = 0
    misses: int = 0
    rejections: int = 0

    def __add__(self, other: "Confusion") -> "Confusion":
        return Confusion(
            self.hits + other.hits,
            self.false_alarms + other.false_alarms,
            self.misses + other.misses,
            self.rejections + other.rejections,
        )

    @property
    def count(self) -> int:
        """How many were judged."""
        return self.hits + self.false_alarms + self.misses + self.rejections

    @property
    def accuracy(self) -> float:
        """Share judged rightly; NaN if none was judged."""
        return _share(self.hits + self.rejections, self.count)

    @property
    def f1(self) -> float:
        """``2PR / (P + R + 1e-5)``; 0 without a hit."""
        if not self.hits:
            return 0.0
        precision = self.hits / (self.hits + self.false_alarms)
        recall = self.hits / (self.hits + self.misses)
        return 2 * precision * recall / (precision + recall + EPSILON)

    @property
    def fdr(self) -> float:
        """False detection rate: share of the normal said to be abnormal; NaN without a normal."""
        return _share(self.false_alarms, self.false_alarms + self.rejections)

    @property
    def mdr(self) -> float:
        """Missed detection rate: share of the abnormal said to be normal; NaN without one."""
        return _share(self.misses, self.hits + self.misses)

    @property
    def mean_iou(self) -> float:
        """Intersection over union, the mean of both classes; of pixels it is the paper's mIoU."""
        wrong = self.false_alarms + self.misses
        abnormal = self.hits / (self.hits + wrong + EPSILON)
        normal = self.rejections / (self.rejections + wrong + EPSILON)
        return (abnormal + normal) / 2


def confusion(said: NDArray[np.bool_], true: NDArray[np.bool_]) -> Confusion:
    """Count two arrays of one shape against each other; True is abnormal."""
    return Confusion(
        hits=int((said & true).sum()),
        false_alarms=int((said & ~true).sum()),
        misses=int((~said & true).sum()),
        rejections=int((~said & ~true).sum()),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
