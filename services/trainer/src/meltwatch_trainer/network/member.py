"""One member of the ensemble: the published FmFormer's parts, level channels, lost modalities."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from meltwatch_trainer.network.absence import modalities_there, or_zeros
from meltwatch_trainer.network.availability import AVAILABILITY
from meltwatch_trainer.network.member_spec import FRAME_SIZE, MemberSpec
from meltwatch_trainer.network.published.encoder import (
    CrossAttention,
    SelfAttention,
    TwoStreamFeedForward,
)
from meltwatch_trainer.network.published.heads import Heads, log_odds
from meltwatch_trainer.network.tokens import CurrentTokens, VideoTokens

PEAK_PIXELS = 16
"""About the size of a spot when it becomes detectable."""
PEAK_WEIGHT = 0.5
"""Initial weight of the peak: from zero, a short training would need half its steps for it."""


class GuardedCrossAttention(nn.Module):
    """Each stream reads the other; where that is absent, a learned vector stands in for it."""

    def __init__(self, spec: MemberSpec) -> None:
        super().__init__()
        self.attention = CrossAttention(spec)
        self.without_video = nn.Parameter(torch.zeros(1, 1, spec.width))
        self.without_current = nn.Parameter(torch.zeros(1, 1, spec.width))

    def forward(
        self, video: Tensor, current: Tensor, has_video: Tensor, has_current: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the updates of both streams; ``has_*`` are booleans of shape ``(b, 1)``."""
        to_video, to_current = self.attention(video, current)
        return (
            torch.where(has_current[..., None], to_video, self.without_current),
            torch.where(has_video[..., None], to_current, self.without_video),
        )


class EncoderLayer(nn.Module):
    """One layer (self, cross, feed-forward; residual after each), or, uncrossed, one of each."""

    def __init__(self, spec: MemberSpec) -> None:
        super().__init__()
        self.video_self, self.current_self = SelfAttention(spec), SelfAttention(spec)
        self.cross = GuardedCrossAttention(spec) if spec.cross else None
        self.feed_forward = TwoStreamFeedForward(spec)

    def forward(
        self, video: Tensor, current: Tensor, has_video: Tensor, has_current: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Map both streams' tokens ``(b, n, D)`` to new tokens of the same shapes."""
        video = video + self.video_self(video)
        current = current + self.current_self(current)
        if self.cross is not None:
            to_video, to_current = self.cross(video, current, has_video, has_current)
            video, current = video + to_video, current + to_current
        both: tuple[Tensor, Tensor] = self.feed_forward(video, current)
        return both


class Streams(NamedTuple):
    """Encoded tokens ``(b, n, D)`` of both streams, and which of them are real ``(b, 1)``."""

    video: Tensor
    current: Tensor
    has_video: Tensor
    has_current: Tensor


class Member(nn.Module):
    """Score windows and draw anomaly maps.

    Fresh from its seed it is the published network with smaller positions: levels and the vectors
    of absence start at zero. Only the peak speaks from the start: it lets the video's log-odds take
    the map's brightest pixels into account, since the map is learned from far fewer windows than
    the class token.
    """

    def __init__(self, spec: MemberSpec) -> None:
        super().__init__()
        self.spec = spec
        self.video_tokens = VideoTokens(spec)
        self.current_tokens = CurrentTokens(spec)
        self.layers = nn.ModuleList(EncoderLayer(spec) for _ in range(spec.depth))
        self.head = Heads(spec)
        self.peak = nn.Parameter(torch.tensor(PEAK_WEIGHT))
        self.reads: Tensor
        reads = torch.tensor(AVAILABILITY[spec.modality])
        self.register_buffer("reads", reads, persistent=False)

    def forward(
        self, clip: Tensor, currents: Tensor, available: Tensor, seen: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Score windows.

        Parameters
        ----------
        clip
            Shape ``(b, 10, 64, 64, 3)``, float32 or uint8, greys 0..255, upright, oldest first.
        currents
            Shape ``(b, 240, 3)``, float32, amperes, oldest sample first.
        available
            Shape ``(b, 2)``, float32: video, current; 1 if there, else 0.
        seen
            In training, how many windows lead the batch that have video: those without it stay
            out of the dense head, or they would bend its batch statistics. All by default.

        Returns
        -------
        Log-odds ``(b, 1)`` of the window and ``(b, 64, 64)`` of the newest frame's pixels; the
        map means nothing where video is absent.
        """
        streams = self.encode(clip, currents, available)
        map_logits = self.segment(streams.video, seen)
        return self.classify(streams, map_logits), map_logits

    def encode(self, clip: Tensor, currents: Tensor, available: Tensor) -> Streams:
        """Encode windows; whatever an absent modality's tensor holds is replaced by zeros first."""
        has_video, has_current = modalities_there(available * self.reads)
        video = self._video(or_zeros(has_video, clip.float()))
        current = self._current(or_zeros(has_current, currents))
        for layer in self.layers:
            video, current = layer(video, current, has_video, has_current)
        return Streams(video, current, has_video, has_current)

    def segment(self, video: Tensor, seen: int | None = None) -> Tensor:
        """Map the video stream to map logits ``(b, 64, 64)``, zeros behind the first ``seen``."""
        if not self.spec.segments:
            return video.new_zeros(video.shape[0], FRAME_SIZE, FRAME_SIZE)
        map_logits = log_odds(self.head.segment(video[:seen]))
        if seen is None:
            return map_logits
        unseen = map_logits.new_zeros(video.shape[0] - seen, FRAME_SIZE, FRAME_SIZE)
        return torch.cat([map_logits, unseen])

    def classify(self, streams: Streams, map_logits: Tensor) -> Tensor:
        """Fuse what the streams that are there say: log-odds ``(b, 1)``."""
        peak = map_logits.flatten(1).topk(PEAK_PIXELS).values.mean(dim=1)
        from_video = log_odds(self.head.mlp_head1(streams.video[:, 0])) + self.peak * peak
        from_current = log_odds(self.head.mlp_head2(streams.current[:, 0]))
        return or_zeros(streams.has_video, from_video[:, None]) + or_zeros(
            streams.has_current, from_current[:, None]
        )

    def _video(self, clip: Tensor) -> Tensor:
        """Return the video tokens; of a stream that is never read, the class token alone."""
        if self.spec.modality == "current":
            return self.video_tokens.class_token.expand(clip.shape[0], -1, -1)
        tokens: Tensor = self.video_tokens(clip)
        return tokens

    def _current(self, currents: Tensor) -> Tensor:
        """Return the current tokens; of a stream that is never read, the class token alone."""
        if self.spec.modality == "video":
            return self.current_tokens.class_token.expand(currents.shape[0], -1, -1)
        tokens: Tensor = self.current_tokens(currents)
        return tokens
