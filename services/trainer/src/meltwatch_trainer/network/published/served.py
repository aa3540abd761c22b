"""A published network as a member of the served ensemble: upright frames, absent modalities."""

import torch
from torch import Tensor, nn

from meltwatch_trainer.network.absence import modalities_there, or_zeros
from meltwatch_trainer.network.published.fmformer import FmFormer, FmFormerOutput
from meltwatch_trainer.network.published.heads import log_odds

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
            Shape ``(b, 10, 64, 64, 3)``, float32 or uint8, upright (row, column), oldest
            frame first.
        currents
            Shape ``(b, 240, 3)``, float32, amperes, oldest sample first.
        available
            Shape ``(b, 2)``, float32: video, current; 1 if there, else 0.

        Returns
        -------
        Log-odds ``(b, 1)`` of the window and ``(b, 64, 64)`` of the newest frame's pixels, row
        before column.
        """
        has_video, has_current = modalities_there(available)
        frames = or_zeros(has_video, clip.float())
        published_axes = frames.permute(0, 4, 1, 3, 2)
        output = self.network(published_axes, or_zeros(has_current, currents))
        return _log_odds(output, has_video, has_current), _map(output, frames)


def _log_odds(output: FmFormerOutput, has_video: Tensor, has_current: Tensor) -> Tensor:
    shares = []
    if output.video_logits is not None:
        shares.append(or_zeros(has_video, log_odds(output.video_logits)[:, None]))
    if output.current_logits is not None:
        shares.append(or_zeros(has_current, log_odds(output.current_logits)[:, None]))
    if not shares:
        pixels = log_odds(output.map_logits).flatten(1)
        shares.append(or_zeros(has_video, pixels.amax(dim=1, keepdim=True)))
    return torch.stack(shares).sum(dim=0)


def _map(output: FmFormerOutput, frames: Tensor) -> Tensor:
    if output.map_logits is None:
        return torch.full_like(frames[:, 0, :, :, 0], NO_ANOMALY)
    return log_odds(output.map_logits).transpose(1, 2)
