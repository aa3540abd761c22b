"""From a clip and a look-back of currents to tokens (published model, steps V1 to C2)."""

import torch
from torch import Tensor, nn

from meltwatch_trainer.domain.members import (
    CLIP_FRAMES,
    FRAME_SIZE,
    LOOKBACK_SAMPLES,
    PATCH_SIZE,
    PHASES,
    MemberSpec,
)

# Positions start small beside tokens of unit scale: with the published N(0, 1) a short training
# spends its first epochs on telling content from position.
POSITION_STD = 0.2

# Levels: grey values about their middle; amperes about the published furnaces' typical phase.
GREY_MIDDLE, GREY_SCALE = 110.0, 60.0
TYPICAL_CURRENT_A, CURRENT_SCALE_A = 6500.0, 1500.0
CURRENT_CHANGE_SCALE_A = 500.0


def cut_tubelets(clip: Tensor, frames: int) -> Tensor:
    """Cut clips into blocks of ``frames`` x 8 x 8 pixels.

    Parameters
    ----------
    clip
        Shape ``(b, t, h, w, 3)``; upright, oldest frame first.
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


def _embedding(size: int, spec: MemberSpec) -> nn.Sequential:
    """Build the projection of raw vectors to tokens; levels survive only without the first norm."""
    project = nn.Linear(size, spec.width)
    if spec.levels:
        return nn.Sequential(project, nn.LayerNorm(spec.width))
    return nn.Sequential(nn.LayerNorm(size), project, nn.LayerNorm(spec.width))


def _positions(count: int, width: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(1, count, width) * POSITION_STD)


class VideoTokens(nn.Module):
    """Turn clips into a class token, standard tokens and, if asked for, dilated tokens."""

    def __init__(self, spec: MemberSpec) -> None:
        super().__init__()
        self._spec = spec
        self.steps = CLIP_FRAMES // spec.frames_per_token
        side = FRAME_SIZE // PATCH_SIZE
        self.standard_count = self.steps * side * side
        self.dilated_count = self.standard_count // 4 if spec.dilated else 0
        size = spec.frames_per_token * PATCH_SIZE * PATCH_SIZE * 3
        self.standard = _embedding(size, spec)
        self.class_token = nn.Parameter(torch.randn(1, 1, spec.width) * POSITION_STD)
        self.position = _positions(1 + self.standard_count, spec.width)
        if spec.dilated:
            self.dilated = _embedding(size, spec)
            self.dilated_position = _positions(self.dilated_count, spec.width)

    def forward(self, clip: Tensor) -> Tensor:
        """Map greys ``(b, 10, 64, 64, 3)``, 0..255, to ``(b, 1 + standard + dilated, D)``."""
        if self._spec.levels:
            clip = (clip - GREY_MIDDLE) / GREY_SCALE
        frames = self._spec.frames_per_token
        standard = self.standard(cut_tubelets(clip, frames))
        leading = self.class_token.expand(standard.shape[0], -1, -1)
        tokens = torch.cat([leading, standard], dim=1) + self.position
        if not self._spec.dilated:
            return tokens
        dilated = self.dilated(cut_tubelets(clip[:, :, ::2, ::2], frames))
        return torch.cat([tokens, dilated + self.dilated_position], dim=1)


class CurrentTokens(nn.Module):
    """Turn look-backs of phase currents into a class token and one token per few samples."""

    def __init__(self, spec: MemberSpec) -> None:
        super().__init__()
        self._spec = spec
        self.count = LOOKBACK_SAMPLES // spec.samples_per_token
        channels = 2 * PHASES if spec.levels else PHASES
        self._size = spec.samples_per_token * channels
        self.embedding = _embedding(self._size, spec)
        self.class_token = nn.Parameter(torch.randn(1, 1, spec.width) * POSITION_STD)
        self.position = _positions(1 + self.count, spec.width)

    def forward(self, currents: Tensor) -> Tensor:
        """Map amperes ``(b, 240, 3)``, oldest first, to tokens ``(b, 1 + count, D)``."""
        if self._spec.levels:
            level = (currents - TYPICAL_CURRENT_A) / CURRENT_SCALE_A
            change = (currents - currents.mean(dim=1, keepdim=True)) / CURRENT_CHANGE_SCALE_A
            currents = torch.cat([level, change], dim=2)
        tokens = self.embedding(currents.reshape(-1, self.count, self._size))
        leading = self.class_token.expand(tokens.shape[0], -1, -1)
        return torch.cat([leading, tokens], dim=1) + self.position
