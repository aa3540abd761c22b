"""The ensemble's fixed steps before and after the members."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from meltwatch_trainer.network.absence import modalities_there, or_zeros
from meltwatch_trainer.network.member_spec import FRAME_SIZE, PATCH_SIZE

SIDE = FRAME_SIZE // PATCH_SIZE


class Decode(nn.Module):
    """Turn embeddings back into frames: transposed basis, whole greys, upright."""

    def __init__(self, basis: NDArray[np.float32]) -> None:
        super().__init__()
        self.basis: Tensor
        self.register_buffer("basis", torch.from_numpy(basis))

    def forward(self, patches: Tensor) -> Tensor:
        """Map ``(b, 10, 64, d)`` float16 to greys ``(b, 10, 64, 64, 3)`` uint8."""
        greys = torch.round(patches.float() @ self.basis).clamp(0.0, 255.0)
        blocks = greys.reshape(-1, SIDE, SIDE, PATCH_SIZE, PATCH_SIZE, 3)
        frames = blocks.permute(0, 1, 3, 2, 4, 5)
        steps = patches.shape[1]
        return frames.reshape(-1, steps, FRAME_SIZE, FRAME_SIZE, 3).to(torch.uint8)


class ServedAggregate(nn.Module):
    """The aggregate as it is served: one logit and one map tensor per member."""

    def __init__(self, aggregate: nn.Module) -> None:
        super().__init__()
        self.aggregate = aggregate

    def forward(self, available: Tensor, *outputs: Tensor) -> tuple[Tensor, ...]:
        """Take ``available`` and each member's logit ``(b, 1)`` and map ``(b, 64, 64)``."""
        logits = torch.cat(outputs[0::2], dim=1)
        maps = torch.stack(outputs[1::2], dim=1)
        fused: tuple[Tensor, ...] = self.aggregate(available, logits, maps)
        return fused


class Aggregate(nn.Module):
    """Calibrate member logits per availability state and fuse them.

    Parameters
    ----------
    scale, shift
        Shape ``(3, members + 1)``: rows are the states of ``AVAILABILITY``; the last
        column belongs to the mean of the calibrated member logits.
    """

    def __init__(self, scale: NDArray[np.float32], shift: NDArray[np.float32]) -> None:
        super().__init__()
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", torch.from_numpy(scale))
        self.register_buffer("shift", torch.from_numpy(shift))

    def forward(
        self, available: Tensor, logits: Tensor, map_logits: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Fuse the members.

        Parameters
        ----------
        available
            Shape ``(b, 2)``.
        logits
            Shape ``(b, m)``, the members' log-odds in order.
        map_logits
            Shape ``(b, m, 64, 64)``.

        Returns
        -------
        Calibrated log-odds ``(b, 1)``, the members' ``(b, m)``, their standard deviation
        ``(b, 1)``, and the anomaly map ``(b, 64, 64)`` in 0..1, zeros without video.
        """
        has_video, has_current = modalities_there(available)
        state = self._state(has_video, has_current)
        scale, shift = state @ self.scale, state @ self.shift
        member_logits = logits * scale[:, :-1] + shift[:, :-1]
        mean = member_logits.mean(dim=1, keepdim=True)
        logit = mean * scale[:, -1:] + shift[:, -1:]
        spread = (member_logits - mean).square().mean(dim=1, keepdim=True).sqrt()
        maps = or_zeros(has_video, map_logits.mean(dim=1).sigmoid())
        return logit, member_logits, spread, maps

    def _state(self, has_video: Tensor, has_current: Tensor) -> Tensor:
        """Return the availability state, one-hot ``(b, 3)``; of neither, ``current`` stands."""
        both = has_video & has_current
        video = has_video & ~has_current
        return torch.cat([both, video, ~has_video], dim=1).float()
