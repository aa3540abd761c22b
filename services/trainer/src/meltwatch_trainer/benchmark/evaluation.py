"""Judge published weights on the benchmark by the paper's metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from meltwatch_trainer.benchmark.files import BenchmarkBatch, BenchmarkWindows
from meltwatch_trainer.benchmark.metrics import Confusion, confusion
from meltwatch_trainer.network.published.fmformer import FmFormer

BATCH: Final = 64
"""Windows at once, as published."""


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
