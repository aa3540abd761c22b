"""What might stand for one side's Gaussian: a flow over patches, and gaps in the currents, filled.

The flow is what CL-Flow and DA-Flow ask for. It begins as the portrait's own law: each patch is
made compact by its Gaussian first, so it learns only what a Gaussian misses.
Filling gaps is ImDiffusion's question, answered by one Gaussian in place of many denoising steps.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from meltwatch_core.portraits import NormalLaw, fit_law
from numpy.typing import NDArray
from torch import Tensor, nn

FloatArray = NDArray[np.float64]

GAP_STEPS: Final = 5
"""Steps that one gap hides: 10 s."""
GAPS: Final = 4
"""The newest 40 s are hidden, one gap at a time."""
WIDTH: Final = 64
COUPLINGS: Final = 4
EPOCHS: Final = 6
BATCH: Final = 1024
RATE: Final = 2e-3
_LEAST: Final = 1e-12


class PatchFlow(nn.Module):
    """Additive couplings and one scale for each number: volume counts by the scales alone."""

    def __init__(self, places: int, numbers: int) -> None:
        super().__init__()
        self._half = numbers // 2
        self.place = nn.Embedding(places, WIDTH)
        sizes = [(self._half, numbers - self._half), (numbers - self._half, self._half)]
        self.read = nn.ModuleList(nn.Linear(sizes[n % 2][0], WIDTH) for n in range(COUPLINGS))
        self.shift = nn.ModuleList(nn.Linear(WIDTH, sizes[n % 2][1]) for n in range(COUPLINGS))
        for layer in self.shift:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.log_scale = nn.Parameter(torch.zeros(numbers))

    def forward(self, compact: Tensor, place: Tensor) -> Tensor:
        """Return what should be standard normal, ``(n, numbers)``."""
        first, second = compact[:, : self._half], compact[:, self._half :]
        for number, (read, shift) in enumerate(zip(self.read, self.shift, strict=True)):
            source = second if number % 2 else first
            moved = shift(torch.relu(read(source) + self.place(place)))
            first, second = (first + moved, second) if number % 2 else (first, second + moved)
        return torch.cat([first, second], dim=1) * torch.exp(self.log_scale)

    def loss(self, compact: Tensor, place: Tensor) -> Tensor:
        """Return the negative log-likelihood, but for a constant."""
        square = self(compact, place).square().sum(dim=1).mean()
        return 0.5 * square - self.log_scale.sum()


@dataclass(frozen=True, slots=True)
class FlowLaw:
    """What a flow holds usual in each place.

    Attributes
    ----------
    law
        Makes patches compact.
    flow
        Learned from compact ones.
    """

    law: NormalLaw
    flow: PatchFlow

    def levels(self, features: FloatArray) -> FloatArray:
        """Return the logarithm of each place's squared distance, as ``NormalLaw.levels``."""
        compact, place = _batch(self.law, features)
        with torch.no_grad():
            square = self.flow(compact, place).square().sum(dim=1).double().numpy()
        levels: FloatArray = np.log(np.maximum(square, _LEAST))
        return levels.reshape(features.shape[:2])


def fit_flow(features: FloatArray, seed: int = 1, epochs: int = EPOCHS) -> FlowLaw:
    """Learn from patches of normal operation ``(n, places, k)``; equal seeds give equal flows."""
    law = fit_law(features)
    compact, place = _batch(law, features)
    torch.manual_seed(seed)
    flow = PatchFlow(features.shape[1], features.shape[2])
    optimizer = torch.optim.AdamW(flow.parameters(), lr=RATE)
    for _ in range(epochs):
        for part in torch.randperm(len(compact)).split(BATCH):
            optimizer.zero_grad()
            flow.loss(compact[part], place[part]).backward()
            optimizer.step()
    return FlowLaw(law, flow.eval())


def _batch(law: NormalLaw, features: FloatArray) -> tuple[Tensor, Tensor]:
    """Return compact patches one after the other, and the place of each."""
    count, places, numbers = features.shape
    compact = np.einsum("pji,npj->npi", law.factor, features - law.mean, optimize=True)
    flat = torch.from_numpy(compact.reshape(-1, numbers).astype(np.float32))
    return flat, torch.arange(places).repeat(count)


@dataclass(frozen=True, slots=True)
class GapFiller:
    """Fills gaps in a look-back of currents from the rest of it.

    Attributes
    ----------
    mean
        Shape ``(steps * phases,)``.
    precision
        Inverse covariance of the same numbers.
    """

    mean: FloatArray
    precision: FloatArray

    def misses(self, series: FloatArray) -> FloatArray:
        """Return how far each gap is from what is filled in, ``(n, gaps, numbers)``.

        Parameters
        ----------
        series
            Shape ``(n, steps, phases)``, oldest first.
        """
        off = series.reshape(len(series), -1) - self.mean
        pulled = off @ self.precision
        size = GAP_STEPS * series.shape[2]
        found = []
        for gap in range(GAPS):
            own = slice(off.shape[1] - (gap + 1) * size, off.shape[1] - gap * size)
            # What a Gaussian says of a part, given the rest, stands in its precision.
            found.append(np.linalg.solve(self.precision[own, own], pulled[:, own].T).T)
        return np.stack(found, axis=1)


def fit_gap_filler(series: FloatArray) -> GapFiller:
    """Learn from look-backs of normal operation ``(n, steps, phases)``."""
    law = fit_law(series.reshape(len(series), 1, -1))
    return GapFiller(law.mean[0], law.factor[0] @ law.factor[0].T)
