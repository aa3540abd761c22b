"""A published network as a member of the served ensemble: upright frames, absent modalities."""

import torch
from torch import Tensor, nn

from meltwatch_trainer.network.member import PRESENT
from meltwatch_trainer.network.published.fmformer import FmFormer, FmFormerOutput

NO_ANOMALY = -100.0
"""Log-odds of every pixel where there is no dense head; their sigmoid is below 1e-7 in float32."""


class ServedFmFormer(nn.Module):
    """Answer the contract of a member with a published network.

    Notes
    -----
    The published network knows no absent modality: its tensor is replaced by zeros and the class
    logits of its stream are left out. Of a network without a classification head the log-odds are
    those of the likeliest pixel: a frame is abnormal where any pixel is. Of one that reads only
    what is absent they are 0: nothing is known.
    """

    def __init__(self, network: FmFormer) -> None:
        super().__init__()
        self.network = network

    def forward(self, clip: Tensor, currents: Tensor, available: Tensor) -> tuple[Tensor, Tensor]:
        """Score windows.

        Parameters
        ----------
        clip
            Shape ``(b, 10, 64, 64, 3)``, uint8, upright (row, column), oldest frame first.
        currents
            Shape ``(b, 240, 3)``, float32, amperes, oldest sample first.
        available
            Shape ``(b, 2)``, float32: video, current; 1 if there, else 0.

        Returns
        -------
        Log-odds ``(b, 1)`` of the window and ``(b, 64, 64)`` of the newest frame's pixels, row
        before column.
        """
        has_video, has_current = available[:, :1] >= PRESENT, available[:, 1:] >= PRESENT
        frames = _if(has_video[..., None, None, None], clip.float())
        published_axes = frames.permute(0, 4, 1, 3, 2)
        output = self.network(published_axes, _if(has_current[..., None], currents))
        return _log_odds(output, has_video, has_current), _map(output, frames)


def _log_odds(output: FmFormerOutput, has_video: Tensor, has_current: Tensor) -> Tensor:
    shares = []
    if output.video_logits is not None:
        shares.append(_if(has_video, _of_abnormal(output.video_logits)[:, None]))
    if output.current_logits is not None:
        shares.append(_if(has_current, _of_abnormal(output.current_logits)[:, None]))
    if not shares:
        pixels = _of_abnormal(output.map_logits).flatten(1)
        shares.append(_if(has_video, pixels.amax(dim=1, keepdim=True)))
    return torch.stack(shares).sum(dim=0)


def _map(output: FmFormerOutput, frames: Tensor) -> Tensor:
    if output.map_logits is None:
        return torch.full_like(frames[:, 0, :, :, 0], NO_ANOMALY)
    return _of_abnormal(output.map_logits).transpose(1, 2)


def _of_abnormal(logits: Tensor) -> Tensor:
    """Return log-odds ``(b, …)`` of two logits ``(b, 2, …)``: normal, abnormal."""
    return logits[:, 1] - logits[:, 0]


def _if(there: Tensor, values: Tensor) -> Tensor:
    """Return the values where they are there, zeros elsewhere; what is absent may be NaN."""
    return torch.where(there, values, torch.zeros_like(values))
