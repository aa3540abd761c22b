"""A small network that reads currents alone, to speak beside the ensemble.

It sees each phase as it deviates from its own median, as members do, and treats the three alike.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from meltwatch_trainer.network.absence import modalities_there, or_zeros
from meltwatch_trainer.network.member_spec import LOOKBACK_SAMPLES, PHASES
from meltwatch_trainer.network.tokens import LIMIT, current_levels

WIDTH: Final = 32
KERNEL: Final = 5
STEM_STRIDES: Final = (4, 2)
"""Half a second becomes four: little work, and few dilations reach across the look-back."""
DILATIONS: Final = (1, 2, 4, 1, 2, 4)
CHANNELS: Final = 4
"""Of a phase: its deviation and that of the phases' mean, and both their steps."""
LEAST_RESTLESSNESS: Final = 0.1
"""Of a channel's mean size over the look-back: what is smaller is told as if it were this."""


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of each instant, ``(b, channels, t)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each instant."""
        normed: Tensor = self.norm(x.transpose(1, 2))
        return normed.transpose(1, 2)


class DilatedBlock(nn.Module):
    """Residual: norm, convolution, GELU, and a linear map of the channels."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(WIDTH)
        padding = dilation * (KERNEL // 2)
        self.conv = nn.Conv1d(WIDTH, WIDTH, KERNEL, padding=padding, dilation=dilation)
        self.mix = nn.Conv1d(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, WIDTH, t)`` to the same shape."""
        update: Tensor = self.mix(gelu(self.conv(self.norm(x))))
        return x + update


class Expert(nn.Module):
    """Log-odds of a fault from currents alone; zeros where there are none.

    Parameters
    ----------
    own_scale
        Measure a phase by how restless it has been itself, in place of 2 % of its median and beside
        its level. It then knows less of furnaces like those that it has learned from, and is misled
        less by others.
    """

    def __init__(self, *, own_scale: bool = False) -> None:
        super().__init__()
        self.own_scale = own_scale
        self.channels = CHANNELS if own_scale else CHANNELS + 1
        inputs = (self.channels, *(WIDTH for _ in STEM_STRIDES[1:]))
        self.stem = nn.ModuleList(
            nn.Conv1d(channels, WIDTH, KERNEL, stride=stride, padding=KERNEL // 2)
            for channels, stride in zip(inputs, STEM_STRIDES, strict=True)
        )
        self.merge = nn.Conv1d(2 * WIDTH, WIDTH, 1)
        self.blocks = nn.ModuleList(DilatedBlock(dilation) for dilation in DILATIONS)
        self.norm = ChannelNorm(WIDTH)
        self.attention = nn.Conv1d(WIDTH, 1, 1)
        self.hidden = nn.Linear(3 * WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, currents: Tensor, available: Tensor) -> Tensor:
        """Map amperes ``(b, 240, 3)``, oldest first, to log-odds ``(b, 1)``.

        Parameters
        ----------
        available
            Shape ``(b, 2)``: video, current; without current what the tensor holds does not matter.
        """
        _, there = modalities_there(available)
        features = phase_features(currents, own_scale=self.own_scale)
        x = features.reshape(-1, self.channels, LOOKBACK_SAMPLES)
        for conv in self.stem:
            x = gelu(conv(x))
        phases = x.reshape(-1, PHASES, WIDTH, x.shape[2])
        x = self.merge(torch.cat([phases.mean(dim=1), phases.amax(dim=1)], dim=1))
        for block in self.blocks:
            x = block(x)
        return or_zeros(there, self._judged(self.norm(x)))

    def _judged(self, x: Tensor) -> Tensor:
        """Pool the instants by mean, by attention, and by taking the newest."""
        attended = (x * self.attention(x).softmax(dim=2)).sum(dim=2)
        pooled = torch.cat([x.mean(dim=2), attended, x[:, :, -1]], dim=1)
        logit: Tensor = self.head(gelu(self.hidden(pooled)))
        return logit


def phase_features(currents: Tensor, *, own_scale: bool) -> Tensor:
    """Describe each phase for itself.

    Parameters
    ----------
    currents
        Amperes ``(b, 240, 3)``.

    Returns
    -------
    Shape ``(b, 3, 4, 240)`` on the phases' own scales; else ``(b, 3, 5, 240)``, the level last.
    """
    levels = current_levels(currents, samples=1).transpose(1, 2)
    deviation, level = levels[:, :PHASES], levels[:, PHASES + 1 :]
    mean = levels[:, PHASES : PHASES + 1].expand_as(deviation)
    channels = torch.stack([deviation, mean, _steps(deviation), _steps(mean)], dim=2)
    if own_scale:
        usual = channels.abs().mean(dim=3, keepdim=True).clamp(min=LEAST_RESTLESSNESS)
        return (channels / usual).clamp(-LIMIT, LIMIT)
    return torch.cat([channels, level[:, :, None]], dim=2)


def _steps(series: Tensor) -> Tensor:
    """Return the differences in time ``(b, c, t)``, the first of them 0."""
    return torch.cat([torch.zeros_like(series[..., :1]), series[..., 1:] - series[..., :-1]], dim=2)
