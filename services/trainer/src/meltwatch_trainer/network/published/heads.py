"""The published heads: class tokens to two logits, video tokens to two logits per pixel.

The members of the ensemble have them too, with decoders of other widths.
"""

from torch import Tensor, nn

from meltwatch_trainer.network.member_spec import FRAME_SIZE, PATCH_SIZE, MemberSpec
from meltwatch_trainer.network.published.spec import FmFormerSpec

CLASSES = 2
"""Normal, abnormal."""
SIDE = FRAME_SIZE // PATCH_SIZE


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

    def __init__(self, spec: FmFormerSpec | MemberSpec) -> None:
        super().__init__()
        self._steps = spec.steps
        self._standard = spec.standard_tokens
        self._dilated = spec.dilated
        if spec.classifies:
            self.mlp_head1 = _class_head(spec)
            # Video alone leaves the second unused; released weights have it all the same.
            self.mlp_head2 = _class_head(spec)
        if spec.segments:
            self._add_decoder(spec)

    def _add_decoder(self, spec: FmFormerSpec | MemberSpec) -> None:
        self.de_patch_embedding = _merge_steps(self._steps, spec)
        if spec.dilated:
            self.de_patch_embedding_dilated = _merge_steps(self._steps, spec)
            self.decode_dilated = _double(spec.width, spec.width)
        coarse, middle, fine = spec.decoder_widths
        self.decode1 = _double(spec.width, coarse)
        self.decode2 = _double(coarse, middle)
        self.decode3 = _double(middle, fine)
        self.decode_out = nn.Conv2d(fine, CLASSES, kernel_size=1)

    def segment(self, video: Tensor) -> Tensor:
        """Map encoded video ``(b, 1 + standard + dilated, D)`` to logits ``(b, 2, 64, 64)``."""
        end = 1 + self._standard
        image = self.de_patch_embedding(_image(video[:, 1:end], self._steps, SIDE))
        if self._dilated:
            dilated = _image(video[:, end:], self._steps, SIDE // 2)
            image = image + self.decode_dilated(self.de_patch_embedding_dilated(dilated))
        return self.decode_out(self.decode3(self.decode2(self.decode1(image))))


def _class_head(spec: FmFormerSpec | MemberSpec) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(spec.width), nn.Linear(spec.width, CLASSES))


def _merge_steps(steps: int, spec: FmFormerSpec | MemberSpec) -> nn.Sequential:
    laid_out_before = nn.Identity()
    return nn.Sequential(laid_out_before, nn.Conv2d(steps * spec.width, spec.width, kernel_size=1))


def _double(inputs: int, outputs: int) -> nn.Sequential:
    """Double height and width."""
    up = nn.ConvTranspose2d(inputs, outputs, kernel_size=2, stride=2)
    return nn.Sequential(up, ResidualConv(outputs))


def _image(tokens: Tensor, steps: int, side: int) -> Tensor:
    """Lay tokens ``(b, steps * side * side, D)`` out as ``(b, steps * D, side, side)``."""
    width = tokens.shape[-1]
    image = tokens.reshape(-1, steps, side, side, width).permute(0, 1, 4, 2, 3)
    return image.reshape(-1, steps * width, side, side)


def log_odds(logits: Tensor) -> Tensor:
    """Return log-odds ``(b, …)`` of two logits ``(b, 2, …)``: normal, abnormal.

    They are the same answer: only the difference of two logits counts in a softmax.
    """
    return logits[:, 1] - logits[:, 0]
