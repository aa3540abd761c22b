"""Two-stream encoder layers: self-attention, bidirectional cross-attention, feed-forward."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from meltwatch_trainer.domain.members import MemberSpec

MLP_RATIO = 4


def split_heads(tokens: torch.Size, qkv: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Cut the projection ``(b, n, 3 * D)`` of tokens of this shape into query, key and value.

    Returns
    -------
    Shapes ``(b, heads, n, D / heads)``.
    """
    _, count, width = tokens
    qkv = qkv.reshape(-1, count, 3, heads, width // heads)
    query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    return query, key, value


def merge_heads(heads: Tensor) -> Tensor:
    """Lay heads ``(b, heads, n, D / heads)`` side by side again: ``(b, n, D)``."""
    _, number, count, size = heads.shape
    return heads.transpose(1, 2).reshape(-1, count, number * size)


class _Heads(nn.Module):
    """Project tokens to queries, keys and values per head, and heads back to tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)

    def split(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map tokens ``(b, n, D)`` to query, key and value ``(b, heads, n, D / heads)``."""
        return split_heads(tokens.shape, self.qkv(self.norm(tokens)), self._heads)

    def merge(self, heads: Tensor) -> Tensor:
        """Map heads ``(b, heads, n, D / heads)`` back to tokens ``(b, n, D)``."""
        merged: Tensor = self.out(merge_heads(heads))
        return merged


class SelfAttention(nn.Module):
    """Pre-norm self-attention within one stream; the caller adds the residual."""

    def __init__(self, spec: MemberSpec) -> None:
        super().__init__()
        self.heads = _Heads(spec.width, spec.heads)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(b, n, D)`` to their update of the same shape."""
        return self.heads.merge(scaled_dot_product_attention(*self.heads.split(tokens)))


class CrossAttention(nn.Module):
    """Each stream reads the other; an absent stream is never read.

    Where the other stream is absent, a learned vector stands in for what would have been read.
    """

    def __init__(self, spec: MemberSpec) -> None:
        super().__init__()
        self.video = _Heads(spec.width, spec.heads)
        self.current = _Heads(spec.width, spec.heads)
        self.without_video = nn.Parameter(torch.zeros(1, 1, spec.width))
        self.without_current = nn.Parameter(torch.zeros(1, 1, spec.width))

    def forward(
        self, video: Tensor, current: Tensor, has_video: Tensor, has_current: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the updates of both streams; ``has_*`` are booleans of shape ``(b, 1, 1)``."""
        video_query, video_key, video_value = self.video.split(video)
        query, key, value = self.current.split(current)
        to_video = self.video.merge(scaled_dot_product_attention(video_query, key, value))
        to_current = self.current.merge(scaled_dot_product_attention(query, video_key, video_value))
        return (
            torch.where(has_current, to_video, self.without_current),
            torch.where(has_video, to_current, self.without_video),
        )


def _feed_forward(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, MLP_RATIO * width),
        nn.GELU(),
        nn.Linear(MLP_RATIO * width, width),
    )


class EncoderLayer(nn.Module):
    """One layer of the published encoder (self, cross, feed-forward; residual after each)."""

    def __init__(self, spec: MemberSpec) -> None:
        super().__init__()
        self.video_self = SelfAttention(spec)
        self.current_self = SelfAttention(spec)
        self.cross = CrossAttention(spec)
        self.video_mlp = _feed_forward(spec.width)
        self.current_mlp = _feed_forward(spec.width)

    def forward(
        self, video: Tensor, current: Tensor, has_video: Tensor, has_current: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Map both streams' tokens to new tokens of the same shapes."""
        video = video + self.video_self(video)
        current = current + self.current_self(current)
        to_video, to_current = self.cross(video, current, has_video, has_current)
        video = video + to_video
        current = current + to_current
        return video + self.video_mlp(video), current + self.current_mlp(current)
