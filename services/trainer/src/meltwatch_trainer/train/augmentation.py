"""Random changes of a window, new each time that it is learned from."""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from meltwatch_trainer.network.member_spec import PHASES

FRAME_REPEAT: Final = 0.15
"""Share of windows in which one frame was lost and its older neighbour stands in."""
GAIN: Final = 0.1
"""Largest change of brightness per colour, either way."""
CURRENT_GAIN: Final = 0.1
"""Largest change of all three currents together, either way: furnaces run at other levels."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows as tensors on one device, ready for a network.

    Attributes
    ----------
    clip
        ``(b, 10, 64, 64, 3)``, uint8.
    currents
        ``(b, 240, 3)``, float32, amperes.
    mask
        ``(b, 64, 64)``, uint8, of the newest frame.
    label
        ``(b,)``, float32: 1 anomalous, 0 normal, below 0 unclear.
    """

    clip: Tensor
    currents: Tensor
    mask: Tensor
    label: Tensor


def augmented(batch: Batch, generator: torch.Generator) -> Batch:
    """Return windows mirrored, tinted, with repeated frames, swapped phases, other levels.

    Parameters
    ----------
    generator
        On the batch's device; all chance comes out of it.
    """
    count = len(batch.label)
    device = batch.clip.device

    def chance(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator, device=device)

    mirrored = chance() < 0.5
    clip = torch.where(mirrored[:, None, None, None, None], batch.clip.flip(3), batch.clip)
    mask = torch.where(mirrored[:, None, None], batch.mask.flip(2), batch.mask)
    tint = 1 + GAIN * (2 * chance(1, 1, 1, 3) - 1)
    clip = (clip * tint).round_().clamp_(0, 255).to(torch.uint8)
    clip = _with_repeats(clip, chance() < FRAME_REPEAT, chance())
    order = chance(PHASES).argsort(dim=1)[:, None].expand_as(batch.currents)
    gain = 1 + CURRENT_GAIN * (2 * chance(1, 1) - 1)
    return Batch(clip, batch.currents.gather(2, order) * gain, mask, batch.label)


def availability(count: int, lost: int, device: torch.device) -> Tensor:
    """Return ``(count, 2)``: the first ``lost`` windows have no currents, the last no video.

    Windows come in random order, so which of them lose something is chance all the same; that
    the ones with video lead the batch spares the GPU a question to the host.
    """
    place = torch.arange(count, device=device)
    return torch.stack([place < count - lost, place >= lost], dim=1).float()


def _with_repeats(clip: Tensor, repeats: Tensor, where: Tensor) -> Tensor:
    """Put a frame's older neighbour in its place: ``where``, 0..1, of the second to the newest."""
    frames = clip.shape[1]
    slots = torch.arange(frames, device=clip.device)
    lost = 1 + (where * (frames - 1)).long()
    source = slots - ((slots == lost[:, None]) & repeats[:, None]).long()
    return clip[torch.arange(len(clip), device=clip.device)[:, None], source]
