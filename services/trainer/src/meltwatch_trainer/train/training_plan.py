"""How long, how fast and on what loss a network learns."""

from dataclasses import dataclass, replace
from math import cos, pi
from typing import Self


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How a network learns; the same on every device.

    Parameters
    ----------
    seed
        Of the initial weights, the order of windows and their augmentation.
    windows_seen
        Windows in all steps together.
    batch
        Windows per step; fewer where there are fewer in all.
    rate
        Learning rate at its peak, after the warm-up; falls to 0 along a cosine.
    warm_up
        Share of the steps in which the rate rises.
    decay
        Weight decay of AdamW.
    modality_dropout
        Share of windows that lose their video, and as many that lose their currents; never both.
    pixel_weight
        An anomalous pixel counts this many times: one in a hundred pixels is one.
    pixel_scale
        Weight of the pixels' loss beside the class's: 10 brings the mean over 4096 mostly empty
        pixels to the size of the class loss, 1 is ``L_pix + L_cls`` as published.
    """

    seed: int
    windows_seen: int = 300_000
    batch: int = 96
    rate: float = 1.5e-3
    warm_up: float = 0.05
    decay: float = 0.03
    modality_dropout: float = 0.2
    pixel_weight: float = 4.0
    pixel_scale: float = 10.0

    def steps(self, batch: int) -> int:
        """Return the number of steps of so many windows each, at least 1."""
        return max(1, self.windows_seen // batch)

    def rate_at(self, step: int, steps: int) -> float:
        """Return the learning rate of a step (the first is 0)."""
        rising = max(1, round(self.warm_up * steps))
        if step < rising:
            return self.rate * (step + 1) / rising
        return self.rate * 0.5 * (1 + cos(pi * (step - rising) / max(1, steps - rising)))

    def scaled(self, scale: float) -> Self:
        """Return the same plan with fewer windows, for a quick look."""
        return replace(self, windows_seen=max(1, round(self.windows_seen * scale)))
