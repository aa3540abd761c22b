"""What is varied anew each time that a window is learned from."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from meltwatch_trainer.adapters.window_cache import WindowArrays

MODALITY_DROPOUT: Final = 0.2
"""Share of windows that lose their video, and as many that lose their currents; never both."""
FRAME_REPEAT: Final = 0.15
"""Share of windows in which one frame was lost and its older neighbour stands in."""
GAIN: Final = 0.1
"""Largest change of brightness per colour, either way."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows as tensors, ready for a member; ``label`` is NaN where it is unclear."""

    clip: Tensor
    currents: Tensor
    available: Tensor
    mask: Tensor
    label: Tensor


def plain_batch(windows: WindowArrays, index: np.ndarray, available: Tensor) -> Batch:
    """Return windows as they are, with the given availability ``(n, 2)`` or ``(2,)``."""
    label = torch.from_numpy(windows.labels[index].astype(np.float32))
    label[label < 0] = torch.nan
    return Batch(
        clip=torch.from_numpy(windows.clips[index]).float(),
        currents=torch.from_numpy(windows.currents[index]),
        available=available.expand(len(index), 2),
        mask=torch.from_numpy(windows.masks[index]).float(),
        label=label,
    )


def augmented_batch(windows: WindowArrays, index: np.ndarray, rng: np.random.Generator) -> Batch:
    """Return windows mirrored, tinted, with lost frames and lost modalities, by chance."""
    count = len(index)
    batch = plain_batch(windows, index, _availability(count, rng))
    clip, mask = batch.clip, batch.mask
    mirrored = torch.from_numpy(rng.random(count) < 0.5)
    clip[mirrored] = clip[mirrored].flip(3)
    mask[mirrored] = mask[mirrored].flip(2)
    gain = 1 + GAIN * (2 * rng.random((count, 1, 1, 1, 3), dtype=np.float32) - 1)
    clip *= torch.from_numpy(gain)
    clip.clamp_(0, 255).round_()
    _repeat_frames(clip, rng)
    phases = torch.from_numpy(rng.permuted(np.tile(np.arange(3), (count, 1)), axis=1))
    order = phases[:, None, :].expand(-1, batch.currents.shape[1], -1)
    currents = batch.currents.gather(2, order)
    return Batch(clip, currents, batch.available, mask, batch.label)


def _availability(count: int, rng: np.random.Generator) -> Tensor:
    chance = rng.random(count)
    video = chance >= MODALITY_DROPOUT
    current = chance < 1 - MODALITY_DROPOUT
    return torch.from_numpy(np.stack([video, current], axis=1).astype(np.float32))


def _repeat_frames(clip: Tensor, rng: np.random.Generator) -> None:
    for window in np.flatnonzero(rng.random(len(clip)) < FRAME_REPEAT):
        slot = int(rng.integers(1, clip.shape[1]))
        clip[window, slot] = clip[window, slot - 1]
