"""A member's encoder layer: the published parts, and a rule for a stream that is absent."""

import torch
from torch import Tensor, nn

from meltwatch_trainer.network.member_spec import MemberSpec
from meltwatch_trainer.network.published.encoder import (
    CrossAttention,
    SelfAttention,
    TwoStreamFeedForward,
)


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
