"""The published heads: class tokens to two logits, video tokens to two logits per pixel."""

from torch import Tensor, nn

from meltwatch_trainer.domain.published_spec import FRAMES_PER_TOKEN, FmFormerSpec
from meltwatch_trainer.network.dense_head import SIDE, image_of_tokens

CLASSES = 2
"""Normal, abnormal."""
DECODER_WIDTHS = (128, 64, 32)
"""Channels at 16 x 16, 32 x 32 and 64 x 64 pixels, whatever the width of a token."""


class ResidualConv(nn.Module):
    """The published residual unit as it computes: ``r + conv(norm(r))`` with ``r = relu(x)``.

    Its ReLU works in place, so that the skip carries what it rectified.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, c, h, w)`` to the same shape."""
        rectified = x.relu()
        return rectified + self.conv1(self.bn1(rectified))


class Heads(nn.Module):
    """Whatever heads a network has, side by side: their published keys do not clash."""

    def __init__(self, spec: FmFormerSpec) -> None:
        super().__init__()
        self._steps = spec.frames // FRAMES_PER_TOKEN
        self._standard = spec.standard_tokens
        self._dilated = spec.dilated
        if spec.classifies:
            self.mlp_head1 = _class_head(spec)
            # Video alone leaves the second unused; released weights have it all the same.
            self.mlp_head2 = _class_head(spec)
        if spec.segments:
            self._add_decoder(spec)

    def _add_decoder(self, spec: FmFormerSpec) -> None:
        self.de_patch_embedding = _merge_steps(self._steps, spec)
        if spec.dilated:
            self.de_patch_embedding_dilated = _merge_steps(self._steps, spec)
            self.decode_dilated = _double(spec.width, spec.width)
        coarse, middle, fine = DECODER_WIDTHS
        self.decode1 = _double(spec.width, coarse)
        self.decode2 = _double(coarse, middle)
        self.decode3 = _double(middle, fine)
        self.decode_out = nn.Conv2d(fine, CLASSES, kernel_size=1)

    def segment(self, video: Tensor) -> Tensor:
        """Map encoded video ``(b, 1 + standard + dilated, D)`` to logits ``(b, 2, 64, 64)``."""
        end = 1 + self._standard
        image = self.de_patch_embedding(image_of_tokens(video[:, 1:end], self._steps, SIDE))
        if self._dilated:
            dilated = image_of_tokens(video[:, end:], self._steps, SIDE // 2)
            image = image + self.decode_dilated(self.de_patch_embedding_dilated(dilated))
        return self.decode_out(self.decode3(self.decode2(self.decode1(image))))


def _class_head(spec: FmFormerSpec) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(spec.width), nn.Linear(spec.width, CLASSES))


def _merge_steps(steps: int, spec: FmFormerSpec) -> nn.Sequential:
    laid_out_before = nn.Identity()
    return nn.Sequential(laid_out_before, nn.Conv2d(steps * spec.width, spec.width, kernel_size=1))


def _double(inputs: int, outputs: int) -> nn.Sequential:
    """Double height and width."""
    up = nn.ConvTranspose2d(inputs, outputs, kernel_size=2, stride=2)
    return nn.Sequential(up, ResidualConv(outputs))
