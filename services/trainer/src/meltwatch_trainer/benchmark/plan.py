"""How the published networks are trained on the benchmark, in which sizes, and the paper's figures.

Source of the figures: Wu et al., IEEE TCSVT 35(3), 2025, read from pictures of its tables; a ``~``
marks digits that could also be read otherwise. F1, FDR and MDR stand in columns not seen by us.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from meltwatch_trainer.network.published.spec import (
    FMFORMER_B,
    FMFORMER_L,
    FMFORMER_S,
    FMFORMER_T,
    FmFormerSpec,
)

PRESETS: Final[Mapping[str, FmFormerSpec]] = {
    "fmformer-tiny": FmFormerSpec(segments=True, width=12, depth=1),
    "fmformer-t": FMFORMER_T,
    "fmformer-s": FMFORMER_S,
    "fmformer-b": FMFORMER_B,
    "fmformer-l": FMFORMER_L,
}
"""Both heads, trained together as in the paper; ``fmformer-tiny`` is there to try things out."""
UNKNOWN: Final = "unknown"

_DEPTHS: Final = {FMFORMER_B.depth: "FmFormer-B", FMFORMER_L.depth: "FmFormer-L"}
_PAPER: Final[Mapping[tuple[str, str, bool], Mapping[str, str]]] = {
    ("FmFormer-L", "both", True): {"accuracy": "0.9839"},
    ("FmFormer-B", "both", True): {"accuracy": "0.9837", "mIoU": "~0.8409"},
    ("FmFormer-B", "both", False): {"accuracy": "0.9757", "mIoU": "~0.8376"},
    ("FmFormer-B", "video", True): {"accuracy": "0.9731", "mIoU": "0.8382"},
    ("FmFormer-B", "video", False): {"accuracy": "~0.9694", "mIoU": "~0.8369"},
}
"""By size, modalities, dilated tokens; every row trained with both heads together."""
_ONE_HEAD: Final[Mapping[tuple[bool, bool], Mapping[str, str]]] = {
    (True, False): {"accuracy": "~0.9795"},
    (False, True): {"mIoU": "~0.8276"},
}
"""FmFormer-B on both modalities with one head alone: (classifies, segments)."""


@dataclass(frozen=True, slots=True)
class BenchmarkPlan:
    """The published training.

    AdamW and the joint loss are the paper's; epochs, batch, rate and its step are those of the
    released configuration. The weight of the class loss and the weight decay are published
    nowhere: 1 and PyTorch's default are ours.

    Attributes
    ----------
    epochs
        Times that every window is seen.
    batch
        Windows per step.
    rate
        Learning rate before it falls.
    decay
        Weight decay of AdamW.
    falls_after, falls_to
        Epochs at the first rate, and what it is multiplied by after them.
    alpha
        Weight of the class loss in ``L_pix + alpha * L_cls``.
    """

    epochs: int = 30
    batch: int = 64
    rate: float = 5e-4
    decay: float = 0.01
    falls_after: int = 20
    falls_to: float = 0.1
    alpha: float = 1.0

    def steps_per_epoch(self, windows: int) -> int:
        """Return the number of steps that see every window once; the last may see fewer."""
        return -(-windows // self.batch)

    def rate_in(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        return self.rate * (self.falls_to if epoch >= self.falls_after else 1.0)


def paper_numbers(spec: FmFormerSpec) -> Mapping[str, str]:
    """Return the paper's figures for a variant by metric; what is not there is unknown to us."""
    size = _DEPTHS.get(spec.depth) if spec.width == FMFORMER_B.width else None
    if size is None:
        return {}
    if spec.classifies and spec.segments:
        return _PAPER.get((size, spec.modality, spec.dilated), {})
    if (size, spec.modality, spec.dilated) == ("FmFormer-B", "both", True):
        return _ONE_HEAD[spec.classifies, spec.segments]
    return {}
