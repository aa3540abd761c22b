"""How the published networks are trained on the benchmark, and in which sizes."""

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
