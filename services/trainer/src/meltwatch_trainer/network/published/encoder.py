"""The published encoder, of one stream and of two; the members of the ensemble share its parts.

Dropout is 0 in every release; its modules stand where the published keys count them.
"""

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from meltwatch_trainer.network.member_spec import MemberSpec
from meltwatch_trainer.network.published.spec import FmFormerSpec

MLP_RATIO = 4


def _queries_keys_values(spec: FmFormerSpec | MemberSpec) -> nn.Linear:
    return nn.Linear(spec.width, 3 * spec.width, bias=False)


def _output(spec: FmFormerSpec | MemberSpec) -> nn.Sequential:
    return nn.Sequential(nn.Linear(spec.width, spec.width), nn.Dropout(0.0))


class SelfAttention(nn.Module):
    """Pre-norm self-attention of one stream; the caller adds the residual."""

    def __init__(self, spec: FmFormerSpec | MemberSpec) -> None:
        super().__init__()
        self._heads = spec.heads
        self.norm = nn.LayerNorm(spec.width)
        self.to_qkv = _queries_keys_values(spec)
        self.to_out = _output(spec)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(b, n, D)`` to their update of the same shape."""
        heads = _split_heads(tokens, self.to_qkv(self.norm(tokens)), self._heads)
        return self.to_out(_merge_heads(scaled_dot_product_attention(*heads)))


class CrossAttention(nn.Module):
    """Each stream reads the other as both were before; the caller adds the residuals."""

    def __init__(self, spec: FmFormerSpec | MemberSpec) -> None:
        super().__init__()
        self._heads = spec.heads
        self.norm1, self.norm2 = nn.LayerNorm(spec.width), nn.LayerNorm(spec.width)
        self.to_qkv1, self.to_qkv2 = _queries_keys_values(spec), _queries_keys_values(spec)
        self.to_out1, self.to_out2 = _output(spec), _output(spec)

    def forward(self, video: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
        """Map both streams' tokens ``(b, n, D)`` to their updates of the same shapes."""
        qkv1, qkv2 = self.to_qkv1(self.norm1(video)), self.to_qkv2(self.norm2(current))
        query1, key1, value1 = _split_heads(video, qkv1, self._heads)
        query2, key2, value2 = _split_heads(current, qkv2, self._heads)
        to_video = scaled_dot_product_attention(query1, key2, value2)
        to_current = scaled_dot_product_attention(query2, key1, value1)
        return self.to_out1(_merge_heads(to_video)), self.to_out2(_merge_heads(to_current))


class FeedForward(nn.Module):
    """Pre-norm feed-forward; the caller adds the residual."""

    def __init__(self, spec: FmFormerSpec | MemberSpec) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(spec.width),
            nn.Linear(spec.width, MLP_RATIO * spec.width),
            nn.GELU(),
            nn.Dropout(0.0),
            nn.Linear(MLP_RATIO * spec.width, spec.width),
            nn.Dropout(0.0),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(b, n, D)`` to their update of the same shape."""
        return self.net(tokens)


class TwoStreamAttention(nn.Module):
    """Self-attention within each stream, then cross-attention both ways."""

    def __init__(self, spec: FmFormerSpec) -> None:
        super().__init__()
        self.stream1, self.stream2 = SelfAttention(spec), SelfAttention(spec)
        self.cross_attn = CrossAttention(spec)

    def forward(self, video: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
        """Map both streams' tokens to new tokens of the same shapes."""
        video = video + self.stream1(video)
        current = current + self.stream2(current)
        to_video, to_current = self.cross_attn(video, current)
        return video + to_video, current + to_current


class TwoStreamFeedForward(nn.Module):
    """One feed-forward per stream, where the paper's drawing has a second before cross-attention.

    The paper's 1.86 million parameters are those of one.
    """

    def __init__(self, spec: FmFormerSpec | MemberSpec) -> None:
        super().__init__()
        self.ff1, self.ff2 = FeedForward(spec), FeedForward(spec)

    def forward(self, video: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
        """Map both streams' tokens to new tokens of the same shapes."""
        return video + self.ff1(video), current + self.ff2(current)


class TwoStreamEncoder(nn.Module):
    """The cross-modal encoder: no norm after its last layer."""

    def __init__(self, spec: FmFormerSpec) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList([TwoStreamAttention(spec), TwoStreamFeedForward(spec)])
            for _ in range(spec.depth)
        )

    def forward(self, video: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
        """Map both streams' tokens ``(b, n, D)`` to encoded tokens of the same shapes."""
        for attention, feed_forward in self.layers:
            video, current = feed_forward(*attention(video, current))
        return video, current


class OneStreamEncoder(nn.Module):
    """The unimodal encoder; of the two, only that of currents ends with a norm."""

    def __init__(self, spec: FmFormerSpec) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList([SelfAttention(spec), FeedForward(spec)]) for _ in range(spec.depth)
        )
        self.norm = nn.LayerNorm(spec.width) if spec.modality == "current" else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(b, n, D)`` to encoded tokens of the same shape."""
        for attention, feed_forward in self.layers:
            tokens = tokens + attention(tokens)
            tokens = tokens + feed_forward(tokens)
        return self.norm(tokens)


def _split_heads(tokens: Tensor, qkv: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Cut the tokens' projection ``(b, n, 3 * D)`` into query, key and value.

    Returns
    -------
    Shapes ``(b, heads, n, D / heads)``.
    """
    _, count, width = tokens.shape
    qkv = qkv.reshape(-1, count, 3, heads, width // heads)
    query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    return query, key, value


def _merge_heads(heads: Tensor) -> Tensor:
    """Lay heads ``(b, heads, n, D / heads)`` side by side again: ``(b, n, D)``."""
    _, number, count, size = heads.shape
    return heads.transpose(1, 2).reshape(-1, count, number * size)
