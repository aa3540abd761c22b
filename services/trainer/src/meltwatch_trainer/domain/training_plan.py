"""How long and how fast members learn."""

from dataclasses import dataclass
from math import cos, pi
from typing import Final


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How long and how fast a member learns.

    Parameters
    ----------
    epochs
        Times that every window is seen.
    batch
        Windows per step.
    rate
        Learning rate at its peak, after ``warm_up`` steps; falls to 0 along a cosine.
    decay
        Weight decay of AdamW.
    """

    epochs: float
    batch: int = 32
    rate: float = 1.5e-3
    warm_up: int = 200
    decay: float = 0.03

    def steps(self, windows: int) -> int:
        """Return the number of steps for a number of windows."""
        return round(self.epochs * windows / self.batch)

    def rate_at(self, step: int, steps: int) -> float:
        """Return the learning rate of a step."""
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        return self.rate * 0.5 * (1 + cos(pi * (step - self.warm_up) / (steps - self.warm_up)))


SHIPPED_PLANS: Final = {"a": TrainingPlan(epochs=1.15), "b": TrainingPlan(epochs=2.1)}
"""By member. On two cores a window costs member a three times what it costs member b."""
