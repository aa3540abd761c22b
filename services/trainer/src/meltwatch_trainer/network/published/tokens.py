"""From a clip and a look-back of currents to the published tokens."""

import torch
from torch import Tensor, nn

from meltwatch_trainer.network.member_spec import LOOKBACK_SAMPLES, PATCH_SIZE, PHASES
from meltwatch_trainer.network.published.spec import FRAMES_PER_TOKEN, FmFormerSpec

TUBELET = FRAMES_PER_TOKEN * PATCH_SIZE * PATCH_SIZE * 3


def learned(tokens: int, width: int, spread: float = 1.0) -> nn.Parameter:
    """Return positions or a class token ``(1, tokens, D)``, drawn from N(0, 1) as published."""
    return nn.Parameter(spread * torch.randn(1, tokens, width))


def normed_projection(size: int, width: int) -> tuple[nn.Module, ...]:
    """Return the projection of raw vectors ``(b, n, size)`` to tokens ``(b, n, D)``.

    The norm before it hides each vector's mean and scale, as published.
    """
    return nn.LayerNorm(size), nn.Linear(size, width), nn.LayerNorm(width)


def video_embedding(spec: FmFormerSpec) -> nn.Sequential:
    """Return the projection of raw tubelets ``(b, n, 384)`` to tokens ``(b, n, D)``.

    Each tubelet's brightness and contrast are hidden.
    """
    cut_before = nn.Identity()
    return nn.Sequential(cut_before, *normed_projection(TUBELET, spec.width))


def current_embedding(spec: FmFormerSpec) -> nn.Sequential:
    """Return the projection of current samples ``(b, 240, 3)`` to tokens ``(b, 240, D)``.

    The norm over the three phases hides the total current: only their imbalance is left.
    """
    return nn.Sequential(*normed_projection(PHASES, spec.width))


def current_positions(spec: FmFormerSpec) -> nn.Parameter:
    """Return the positions of the class token and of each current sample."""
    return learned(1 + LOOKBACK_SAMPLES, spec.width)


def cut_tubelets(clip: Tensor, frames: int) -> Tensor:
    """Cut clips into blocks of ``frames`` x 8 x 8 pixels.

    Parameters
    ----------
    clip
        Shape ``(b, t, h, w, 3)``, oldest frame first.
    frames
        Frames per block; divides ``t``.

    Returns
    -------
    Shape ``(b, t/frames * h/8 * w/8, frames * 192)``: blocks ordered by time, row, column; inside
    a block by row, column, frame, channel.
    """
    _, steps, height, width, channels = clip.shape
    rows, columns = height // PATCH_SIZE, width // PATCH_SIZE
    blocks = clip.reshape(
        -1, steps // frames, frames, rows, PATCH_SIZE, columns, PATCH_SIZE, channels
    )
    blocks = blocks.permute(0, 1, 3, 5, 4, 6, 2, 7)
    return blocks.reshape(
        -1, steps // frames * rows * columns, PATCH_SIZE * PATCH_SIZE * frames * channels
    )


def published_tubelets(clip: Tensor) -> Tensor:
    """Cut clips ``(b, 3, t, 64, 64)`` into tubelets ``(b, t/2 * 64, 384)`` in published order."""
    return cut_tubelets(clip.permute(0, 2, 3, 4, 1), FRAMES_PER_TOKEN)


def with_class_token(tokens: Tensor, class_token: Tensor, positions: Tensor) -> Tensor:
    """Put a class token before tokens ``(b, n, D)`` and add the positions ``(1, 1 + n, D)``."""
    leading = class_token.expand(tokens.shape[0], -1, -1)
    return torch.cat([leading, tokens], dim=1) + positions


class DilatedTokens(nn.Module):
    """Tokens of every second pixel, with a projection and positions of their own."""

    def __init__(self, spec: FmFormerSpec) -> None:
        super().__init__()
        self.pos_embedding = learned(spec.dilated_tokens, spec.width)
        self.to_patch_embedding = video_embedding(spec)

    def forward(self, clip: Tensor) -> Tensor:
        """Map greys ``(b, 3, t, 64, 64)`` to tokens ``(b, t/2 * 16, D)``."""
        # Halving by the nearest neighbour, as published, keeps the even pixels.
        return self.to_patch_embedding(published_tubelets(clip[..., ::2, ::2])) + self.pos_embedding
