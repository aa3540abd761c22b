"""From a clip and a look-back of currents to a member's tokens: the published ones plus levels.

The published network normalises each tubelet and each instant by itself, and so never sees how
bright a patch is or how many amperes flow. Level channels tell it, on robust scales: medians make
their zero, so that one absurd sample moves no other.
"""

import torch
from torch import Tensor, nn

from meltwatch_trainer.network.member_spec import PATCH_SIZE, PHASES, MemberSpec
from meltwatch_trainer.network.published.tokens import (
    cut_tubelets,
    learned,
    normed_projection,
    with_class_token,
)

# Beside tokens of unit scale; with the published N(0, 1) a short training spends its first epochs
# on telling content from position.
POSITION_SPREAD = 0.2
COLOURS = 3
VIDEO_CHANNELS = 2 * COLOURS + 1
GREY_MIDDLE, GREY_SCALE = 110.0, 60.0
RELATIVE_GREY_SCALE = 20.0

TYPICAL_CURRENT_A = 6500.0
"""About the published furnaces' phase current."""
LEAST_CURRENT_A = 1.0
"""Keeps ratios and logarithms finite where nothing flows."""
DEVIATION = 0.02
"""Share of the median that counts as 1: about the size of what a fault does."""
LIMIT = 8.0
"""Largest value of a channel, either sign: beyond it, more means no more."""


class _Embedding(nn.Module):
    """The published projection plus, where asked for, a linear map of the level channels."""

    def __init__(self, size: int, channels: int, spec: MemberSpec) -> None:
        super().__init__()
        self.published = nn.Sequential(*normed_projection(size, spec.width))
        self.levels = _zero_linear(channels, spec.width) if spec.levels else None

    def forward(self, raw: Tensor, levels: Tensor) -> Tensor:
        """Map raw vectors ``(b, n, size)`` and their levels to tokens ``(b, n, D)``."""
        tokens: Tensor = self.published(raw)
        return tokens if self.levels is None else tokens + self.levels(levels)


class VideoTokens(nn.Module):
    """Turn clips into a class token, standard tokens and, if asked for, dilated tokens."""

    def __init__(self, spec: MemberSpec) -> None:
        super().__init__()
        self._frames = spec.frames_per_token
        size = spec.frames_per_token * PATCH_SIZE * PATCH_SIZE * COLOURS
        self.class_token = learned(1, spec.width, POSITION_SPREAD)
        self.positions = learned(1 + spec.standard_tokens, spec.width, POSITION_SPREAD)
        self.standard = _Embedding(size, VIDEO_CHANNELS, spec)
        self.dilated = _Embedding(size, VIDEO_CHANNELS, spec) if spec.dilated else None
        if spec.dilated:
            dilated_tokens = spec.standard_tokens // 4
            self.dilated_positions = learned(dilated_tokens, spec.width, POSITION_SPREAD)

    def forward(self, clip: Tensor) -> Tensor:
        """Map greys ``(b, 10, 64, 64, 3)``, 0..255, to ``(b, 1 + standard + dilated, D)``."""
        tubelets = cut_tubelets(clip, self._frames)
        tokens = self.standard(tubelets, video_levels(tubelets))
        tokens = with_class_token(tokens, self.class_token, self.positions)
        if self.dilated is None:
            return tokens
        tubelets = cut_tubelets(clip[:, :, ::2, ::2], self._frames)
        dilated = self.dilated(tubelets, video_levels(tubelets)) + self.dilated_positions
        return torch.cat([tokens, dilated], dim=1)


class CurrentTokens(nn.Module):
    """Turn look-backs of phase currents into a class token and one token per few samples."""

    def __init__(self, spec: MemberSpec) -> None:
        super().__init__()
        self._samples = spec.samples_per_token
        self._size = spec.samples_per_token * PHASES
        self.class_token = learned(1, spec.width, POSITION_SPREAD)
        self.positions = learned(1 + spec.current_tokens, spec.width, POSITION_SPREAD)
        self.samples = _Embedding(self._size, current_channels(self._samples), spec)

    def forward(self, currents: Tensor) -> Tensor:
        """Map amperes ``(b, 240, 3)``, oldest first, to tokens ``(b, 1 + count, D)``."""
        count = currents.shape[1] // self._samples
        raw = currents.reshape(-1, count, self._size)
        tokens = self.samples(raw, current_levels(currents, self._samples))
        return with_class_token(tokens, self.class_token, self.positions)


def _zero_linear(inputs: int, outputs: int) -> nn.Linear:
    """Return a linear map of zeros: training starts at the published tokens."""
    linear = nn.Linear(inputs, outputs)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


def video_levels(tubelets: Tensor) -> Tensor:
    """Describe the brightness of tubelets.

    Parameters
    ----------
    tubelets
        Greys ``(b, n, size)``, 0..255, colours last within a tubelet, of whole clips.

    Returns
    -------
    Shape ``(b, n, 7)``: mean of each colour, the same relative to the clip's median tubelet, and
    the logarithm of the contrast.
    """
    pixels = tubelets.unflatten(2, (-1, COLOURS))
    mean = pixels.mean(dim=2)
    absolute = (mean - GREY_MIDDLE) / GREY_SCALE
    relative = (mean - _median(mean)) / RELATIVE_GREY_SCALE
    contrast = (pixels - mean[:, :, None]).square().mean(dim=(2, 3)).sqrt().log1p()
    channels = torch.cat([absolute, relative, contrast[..., None]], dim=2)
    return channels.clamp(-LIMIT, LIMIT)


def current_channels(samples: int) -> int:
    """Return the number of level channels of a token of so many samples."""
    return samples * (PHASES + 1) + PHASES


def current_levels(currents: Tensor, samples: int) -> Tensor:
    """Describe the level of currents.

    Parameters
    ----------
    currents
        Amperes ``(b, 240, 3)``.
    samples
        Samples per token; divides 240.

    Returns
    -------
    Shape ``(b, 240 / samples, 4 * samples + 3)``: each sample's phases and their mean as deviations
    from their own medians over the look-back, in units of 2 %; then the logarithm of each phase's
    median over a typical one.
    """
    readings = torch.cat([currents, currents.mean(dim=2, keepdim=True)], dim=2)
    median = _median(readings).clamp(min=LEAST_CURRENT_A)
    deviation = ((readings - median) / (DEVIATION * median)).clamp(-LIMIT, LIMIT)
    per_token = deviation.reshape(-1, currents.shape[1] // samples, samples * (PHASES + 1))
    level = (median[..., :PHASES] / TYPICAL_CURRENT_A).log().clamp(-LIMIT, LIMIT)
    return torch.cat([per_token, level.expand(-1, per_token.shape[1], -1)], dim=2)


def _median(values: Tensor) -> Tensor:
    """Return the lower median over axis 1, kept as 1; ``torch.median`` has no ONNX form."""
    return values.topk(values.shape[1] // 2 + 1, dim=1).values[:, -1:]
