"""Level channels: what the published norms hide, on robust scales, token by token.

The published network normalises each tubelet and each instant by itself, and so never sees how
bright a patch is or how many amperes flow. These channels tell it, beside the published tokens.
Medians make their zero, so that one absurd sample moves no other.
"""

import torch
from torch import Tensor

from meltwatch_trainer.network.member_spec import PHASES

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
"""Largest channel either way: beyond it, more says no more."""


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
