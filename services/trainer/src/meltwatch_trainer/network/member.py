"""One member of the ensemble: FmFormer with both heads and a rule for absent modalities."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from meltwatch_trainer.domain.members import MemberSpec
from meltwatch_trainer.network.dense_head import DenseHead
from meltwatch_trainer.network.encoder import EncoderLayer
from meltwatch_trainer.network.tokens import CurrentTokens, VideoTokens

PRESENT = 0.5
PEAK_PIXELS = 16
"""About the size of a spot when it becomes detectable."""


class Streams(NamedTuple):
    """Encoded tokens ``(b, n, D)`` of both streams, and which of them are real ``(b, 1, 1)``."""

    video: Tensor
    current: Tensor
    has_video: Tensor
    has_current: Tensor


def _class_head(width: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))


class Member(nn.Module):
    """Score windows and draw anomaly maps.

    The heads give one log-odds each where the published model gives two logits: the same function,
    since only the difference of two logits counts in a softmax. The video's log-odds take the
    map's brightest pixels into account as well: in short trainings the map is learned from far
    fewer windows than the class token (seen: IoU 0.57 at a class AUROC of 0.64).
    """

    def __init__(self, spec: MemberSpec) -> None:
        super().__init__()
        self.spec = spec
        self.video_tokens = VideoTokens(spec)
        self.current_tokens = CurrentTokens(spec)
        self.layers = nn.ModuleList(EncoderLayer(spec) for _ in range(spec.depth))
        self.video_head = _class_head(spec.width)
        self.current_head = _class_head(spec.width)
        self.dense_head = DenseHead(spec, self.video_tokens)
        self.peak_head = nn.Linear(1, 1)
        nn.init.constant_(self.peak_head.weight, 0.5)

    def encode(self, clip: Tensor, currents: Tensor, available: Tensor) -> Streams:
        """Encode windows; whatever an absent modality's tensor holds is replaced by zeros first."""
        has_video = available[:, 0].reshape(-1, 1, 1) >= PRESENT
        has_current = available[:, 1].reshape(-1, 1, 1) >= PRESENT
        clip = torch.where(has_video[..., None, None], clip, torch.zeros_like(clip))
        currents = torch.where(has_current, currents, torch.zeros_like(currents))
        video, current = self.video_tokens(clip), self.current_tokens(currents)
        for layer in self.layers:
            video, current = layer(video, current, has_video, has_current)
        return Streams(video, current, has_video, has_current)

    def classify(self, streams: Streams, map_logits: Tensor) -> Tensor:
        """Fuse what the streams that are there say: log-odds ``(b, 1)``."""
        peak = map_logits.flatten(1).topk(PEAK_PIXELS).values.mean(dim=1, keepdim=True)
        from_video = self.video_head(streams.video[:, 0]) + self.peak_head(peak)
        from_current = self.current_head(streams.current[:, 0])
        zero = torch.zeros_like(from_video)
        return torch.where(streams.has_video[:, 0], from_video, zero) + torch.where(
            streams.has_current[:, 0], from_current, zero
        )

    def forward(self, clip: Tensor, currents: Tensor, available: Tensor) -> tuple[Tensor, Tensor]:
        """Score windows.

        Parameters
        ----------
        clip
            Shape ``(b, 10, 64, 64, 3)``, float32, greys 0..255, upright, oldest frame first.
        currents
            Shape ``(b, 240, 3)``, float32, amperes, oldest sample first.
        available
            Shape ``(b, 2)``, float32: video, current; 1 if there, else 0.

        Returns
        -------
        Log-odds ``(b, 1)`` of the window and ``(b, 64, 64)`` of the newest frame's pixels; the
        map means nothing where video is absent.
        """
        streams = self.encode(clip, currents, available)
        map_logits = self.dense_head(streams.video)
        return self.classify(streams, map_logits), map_logits
