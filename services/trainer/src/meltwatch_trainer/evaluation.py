"""How well an ensemble tells single windows of unseen furnaces apart, per availability state."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_trainer.adapters.served_ensemble import ServedEnsemble
from meltwatch_trainer.adapters.window_cache import WindowArrays
from meltwatch_trainer.domain.availability import AVAILABILITY
from meltwatch_trainer.domain.statistics import auroc

BATCH: Final = 8
MAP_LIMIT: Final = 0.5


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of one availability state; shares are 0..1.

    Attributes
    ----------
    auroc
        Over all clear windows.
    recall, recall_misty
        Share of anomalous windows at or above the threshold: without and under heavy mist.
    false_positives
        Share of normal windows at or above the threshold.
    iou
        Intersection over union of anomalous pixels over all windows; NaN without video.
    """

    state: str
    auroc: float
    recall: float
    recall_misty: float
    false_positives: float
    iou: float

    def line(self) -> str:
        """Return the figures as one line for people."""
        return (
            f"{self.state}: AUROC {self.auroc:.4f}, recall {self.recall:.3f} clear / "
            f"{self.recall_misty:.3f} under heavy mist, false positives "
            f"{self.false_positives:.4f} of windows, pixel IoU {self.iou:.3f}"
        )


def evaluate(ensemble: ServedEnsemble, windows: WindowArrays, logit_on: float) -> list[Evaluation]:
    """Judge all windows in every availability state."""
    return [_evaluate(ensemble, windows, logit_on, state) for state in AVAILABILITY]


def _evaluate(
    ensemble: ServedEnsemble, windows: WindowArrays, logit_on: float, state: str
) -> Evaluation:
    logits, iou = _score(ensemble, windows, state)
    normal, hot = windows.labels == 0, windows.labels == 1
    misty = windows.misty == 1
    clear = normal | hot
    above = logits >= logit_on
    return Evaluation(
        state=state,
        auroc=auroc(logits[clear], hot[clear]),
        recall=float(above[hot & ~misty].mean()),
        recall_misty=float(above[hot & misty].mean()),
        false_positives=float(above[normal].mean()),
        iou=iou,
    )


def _score(
    ensemble: ServedEnsemble, windows: WindowArrays, state: str
) -> tuple[NDArray[np.float64], float]:
    logits = []
    common = either = 0
    for start in range(0, len(windows.labels), BATCH):
        part = slice(start, start + BATCH)
        available = np.tile(
            np.array(AVAILABILITY[state], np.float32), (len(windows.labels[part]), 1)
        )
        answer = ensemble.score(windows.clips[part], windows.currents[part], available)
        logits.append(answer[0][:, 0])
        predicted, truth = answer[3] >= MAP_LIMIT, windows.masks[part] == 1
        common += int((predicted & truth).sum())
        either += int((predicted | truth).sum())
    iou = common / either if state != "current" else float("nan")
    return np.concatenate(logits).astype(np.float64), iou
