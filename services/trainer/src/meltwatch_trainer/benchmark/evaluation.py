"""Judge published weights on the benchmark by the paper's metrics; positive is abnormal.

The authors' FDR and MDR are what others call false-positive and false-negative rate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from meltwatch_trainer.benchmark.files import BenchmarkBatch, BenchmarkWindows
from meltwatch_trainer.network.published.fmformer import FmFormer

BATCH: Final = 64
"""Windows at once, as published."""
EPSILON: Final = 1e-5
"""Keeps the published quotients finite; it is in their denominators."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of right and wrong decisions.

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


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """How a network judged a split; ``None`` where it has no such head.

    Attributes
    ----------
    windows, abnormal
        How many there were, and how many of them abnormal.
    classes
        Of windows.
    pixels
        Of all pixels of all masks in one.
    """

    windows: int
    abnormal: int
    classes: Confusion | None
    pixels: Confusion | None

    def figures(self) -> dict[str, float]:
        """Return the paper's metrics by name, 0..1, NaN where undefined."""
        found: dict[str, float] = {}
        if self.classes is not None:
            found = {
                "accuracy": self.classes.accuracy,
                "F1": self.classes.f1,
                "FDR": self.classes.fdr,
                "MDR": self.classes.mdr,
            }
        if self.pixels is not None:
            found["mIoU"] = self.pixels.mean_iou
        return found


def evaluate_benchmark(
    network: FmFormer,
    windows: BenchmarkWindows,
    device: torch.device,
    show: Callable[[int, int], None],
) -> BenchmarkResult:
    """Judge all windows, in float32: the larger logit decides, as published.

    Parameters
    ----------
    show
        Is called with windows done and windows in all.
    """
    network.to(device).eval()
    classes, pixels = Confusion(), Confusion()
    done = abnormal = 0
    with torch.inference_mode():
        for batch in windows.batches(BATCH):
            output = network(*tensors(batch, device))
            classes += _judged(output.logits, batch.labels)
            pixels += _judged(output.map_logits, batch.masks.transpose(0, 2, 1))
            done += len(batch.labels)
            abnormal += int(batch.labels.sum())
            show(done, len(windows))
    return BenchmarkResult(
        done, abnormal, classes if classes.count else None, pixels if pixels.count else None
    )


def tensors(batch: BenchmarkBatch, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return clip ``(b, 3, t, W, H)`` and currents as the published networks take them.

    Upright pictures are laid on their side: the published loader never stood them up.
    """
    clip = torch.from_numpy(batch.clips).to(device).permute(0, 4, 1, 3, 2).float()
    return clip, torch.from_numpy(batch.currents).to(device)


def _judged(logits: Tensor | None, true: NDArray[np.bool_]) -> Confusion:
    if logits is None:
        return Confusion()
    return confusion(logits.argmax(dim=1).bool().cpu().numpy(), true)
