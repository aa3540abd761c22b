"""From video tokens back to a 64 x 64 map of the newest frame (published model, section H)."""

from itertools import pairwise

from torch import Tensor, nn

from meltwatch_trainer.domain.members import FRAME_SIZE, PATCH_SIZE, MemberSpec
from meltwatch_trainer.network.tokens import VideoTokens

SIDE = FRAME_SIZE // PATCH_SIZE


class ResidualConv(nn.Module):
    """The published residual unit as it computes: ``r + conv(norm(r))`` with ``r = relu(x)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rectify = nn.ReLU()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, c, h, w)`` to the same shape."""
        rectified = self.rectify(x)
        residual: Tensor = rectified + self.conv(self.norm(rectified))
        return residual


def _double(inputs: int, outputs: int) -> nn.Sequential:
    """Double height and width."""
    up = nn.ConvTranspose2d(inputs, outputs, kernel_size=2, stride=2)
    return nn.Sequential(up, ResidualConv(outputs))


def image_of_tokens(tokens: Tensor, steps: int, side: int) -> Tensor:
    """Lay tokens ``(b, steps * side * side, D)`` out as ``(b, steps * D, side, side)``."""
    width = tokens.shape[-1]
    image = tokens.reshape(-1, steps, side, side, width).permute(0, 1, 4, 2, 3)
    return image.reshape(-1, steps * width, side, side)


class DenseHead(nn.Module):
    """Predict, per pixel of the newest frame, the log-odds of the anomaly."""

    def __init__(self, spec: MemberSpec, tokens: VideoTokens) -> None:
        super().__init__()
        self._steps = tokens.steps
        self._standard_count = tokens.standard_count
        channels = tokens.steps * spec.width
        self.standard = nn.Conv2d(channels, spec.width, kernel_size=1)
        self.dilated = (
            nn.Sequential(
                nn.Conv2d(channels, spec.width, kernel_size=1), _double(spec.width, spec.width)
            )
            if spec.dilated
            else None
        )
        widths = (spec.width, *spec.decoder_widths)
        self.decoder = nn.Sequential(
            *(_double(a, b) for a, b in pairwise(widths)),
            nn.Conv2d(widths[-1], 1, kernel_size=1),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Map the video stream ``(b, 1 + standard + dilated, D)`` to logits ``(b, 64, 64)``."""
        end = 1 + self._standard_count
        image = self.standard(image_of_tokens(tokens[:, 1:end], self._steps, SIDE))
        if self.dilated is not None:
            dilated = image_of_tokens(tokens[:, end:], self._steps, SIDE // 2)
            image = image + self.dilated(dilated)
        logits: Tensor = self.decoder(image).squeeze(1)
        return logits
