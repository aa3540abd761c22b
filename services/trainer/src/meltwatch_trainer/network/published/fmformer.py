"""The published networks: cross-modal, video alone, currents alone.

All take the same two arguments and ignore the one that they do not read: ``clip`` of shape
``(b, 3, t, 64, 64)``, float32, greys 0..255, oldest frame first, and ``current`` of shape
``(b, 240, 3)``, float32, amperes, oldest sample first. A clip's last two axes are the image's
column and row, in this order: the published loader hands frames over transposed, and the weights
have learned so. Maps come back in the same order.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from meltwatch_trainer.network.published.encoder import OneStreamEncoder, TwoStreamEncoder
from meltwatch_trainer.network.published.heads import CLASSES, Heads
from meltwatch_trainer.network.published.spec import FmFormerSpec
from meltwatch_trainer.network.published.tokens import (
    DilatedTokens,
    current_embedding,
    current_positions,
    learned,
    published_tubelets,
    video_embedding,
    with_class_token,
)


class FmFormerOutput(NamedTuple):
    """What the heads say; ``None`` where there is no such head.

    Attributes
    ----------
    video_logits, current_logits
        Each stream's share of the class logits ``(b, 2)``: normal, abnormal.
    map_logits
        Shape ``(b, 2, 64, 64)``, of the newest frame's pixels, column before row.
    """

    video_logits: Tensor | None = None
    current_logits: Tensor | None = None
    map_logits: Tensor | None = None

    @property
    def logits(self) -> Tensor | None:
        """The class logits ``(b, 2)``: the streams' logits summed (late fusion)."""
        if self.video_logits is None:
            return self.current_logits
        if self.current_logits is None:
            return self.video_logits
        return self.video_logits + self.current_logits


class CrossModalFmFormer(nn.Module):
    """The published FmFormer: clip and currents read each other in every layer."""

    def __init__(self, spec: FmFormerSpec) -> None:
        super().__init__()
        self.spec = spec
        self.pos_embedding1 = learned(1 + spec.standard_tokens, spec.width)
        self.cls_token1 = learned(1, spec.width)
        self.pos_embedding2 = current_positions(spec)
        self.cls_token2 = learned(1, spec.width)
        self.to_patch_embedding1 = video_embedding(spec)
        if spec.dilated:
            self.get_additional_tokens = DilatedTokens(spec)
        self.to_patch_embedding2 = current_embedding(spec)
        self.transformer = TwoStreamEncoder(spec)
        self.head = Heads(spec)

    def forward(self, clip: Tensor, current: Tensor) -> FmFormerOutput:
        """Score windows; shapes as in the module's docstring."""
        patches = self.to_patch_embedding1(published_tubelets(clip))
        video = with_class_token(patches, self.cls_token1, self.pos_embedding1)
        if self.spec.dilated:
            video = torch.cat([video, self.get_additional_tokens(clip)], dim=1)
        samples = self.to_patch_embedding2(current)
        samples = with_class_token(samples, self.cls_token2, self.pos_embedding2)
        video, samples = self.transformer(video, samples)
        return FmFormerOutput(
            self.head.mlp_head1(video[:, 0]) if self.spec.classifies else None,
            self.head.mlp_head2(samples[:, 0]) if self.spec.classifies else None,
            self.head.segment(video) if self.spec.segments else None,
        )


class LearnedPositions(nn.Module):
    """The video model's positions, which the published code keeps in a module of their own."""

    def __init__(self, spec: FmFormerSpec) -> None:
        super().__init__()
        self.pe = learned(1 + spec.standard_tokens, spec.width)


class VideoFmFormer(nn.Module):
    """The published model of video alone."""

    def __init__(self, spec: FmFormerSpec) -> None:
        super().__init__()
        self.spec = spec
        self.cls_token = learned(1, spec.width)
        self.to_patch_embedding = video_embedding(spec)
        self.pos_embedding = LearnedPositions(spec)
        if spec.dilated:
            self.get_additional_tokens = DilatedTokens(spec)
        self.transformer = OneStreamEncoder(spec)
        self.head = Heads(spec)

    def forward(self, clip: Tensor, current: Tensor) -> FmFormerOutput:  # noqa: ARG002  # one signature for all three
        """Score windows; shapes as in the module's docstring, ``current`` is not read."""
        patches = self.to_patch_embedding(published_tubelets(clip))
        video = with_class_token(patches, self.cls_token, self.pos_embedding.pe)
        if self.spec.dilated:
            video = torch.cat([video, self.get_additional_tokens(clip)], dim=1)
        video = self.transformer(video)
        return FmFormerOutput(
            video_logits=self.head.mlp_head1(video[:, 0]) if self.spec.classifies else None,
            map_logits=self.head.segment(video) if self.spec.segments else None,
        )


class CurrentFmFormer(nn.Module):
    """The published model of currents alone."""

    def __init__(self, spec: FmFormerSpec) -> None:
        super().__init__()
        self.spec = spec
        self.pos_embedding = current_positions(spec)
        self.cls_token = learned(1, spec.width)
        self.to_patch_embedding = current_embedding(spec)
        self.transformer = OneStreamEncoder(spec)
        self.mlp_head = nn.Linear(spec.width, CLASSES)

    def forward(self, clip: Tensor, current: Tensor) -> FmFormerOutput:  # noqa: ARG002  # one signature for all three
        """Score windows; shapes as in the module's docstring, ``clip`` is not read."""
        samples = self.to_patch_embedding(current)
        samples = with_class_token(samples, self.cls_token, self.pos_embedding)
        return FmFormerOutput(current_logits=self.mlp_head(self.transformer(samples)[:, 0]))


FmFormer = CrossModalFmFormer | VideoFmFormer | CurrentFmFormer


def build_fmformer(spec: FmFormerSpec) -> FmFormer:
    """Return the network of a variant with fresh weights (the published initialisation)."""
    if spec.modality == "both":
        return CrossModalFmFormer(spec)
    return VideoFmFormer(spec) if spec.modality == "video" else CurrentFmFormer(spec)
