"""The published FmFormer's variants, and how a file's keys tell which one it holds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from meltwatch_trainer.errors import WeightsError
from meltwatch_trainer.network.member_spec import CLIP_FRAMES, FRAME_SIZE, PATCH_SIZE, Modality

Shapes = Mapping[str, tuple[int, ...]]

FRAMES_PER_TOKEN: Final = 2
TOKENS_PER_FRAME: Final = (FRAME_SIZE // PATCH_SIZE) ** 2
DECODER_WIDTHS: Final = (128, 64, 32)
"""Channels at 16 x 16, 32 x 32 and 64 x 64 pixels, whatever the width of a token."""
HEADS: Final = 3
"""Attention heads of every published size; they leave no trace in the weights."""

_LAYER: Final = re.compile(r"transformer\.layers\.(\d+)\.")
_POSITIONS: Final[Mapping[Modality, str]] = {
    "both": "pos_embedding1",
    "video": "pos_embedding.pe",
    "current": "pos_embedding",
}
"""The key of each variant's positions, which no other variant has."""


@dataclass(frozen=True, slots=True)
class FmFormerSpec:
    """One variant of the published network.

    Parameters
    ----------
    modality
        What it reads. Reading currents alone, it can only classify.
    classifies, segments
        Which heads it has; both make the paper's joint network.
    dilated
        Whether a second set of video tokens looks at every second pixel.
    frames
        Frames of a clip, even.
    width, depth, heads
        Width D of a token, encoder layers, attention heads (``width % heads == 0``).
    decoder_widths
        Channels of the dense head at 16 x 16, 32 x 32 and 64 x 64 pixels; of every published size
        the same.
    """

    modality: Modality = "both"
    classifies: bool = True
    segments: bool = False
    dilated: bool = True
    frames: int = CLIP_FRAMES
    width: int = 96
    depth: int = 6
    heads: int = HEADS
    decoder_widths: tuple[int, int, int] = DECODER_WIDTHS

    @property
    def steps(self) -> int:
        """Video tokens that follow one another in time."""
        return self.frames // FRAMES_PER_TOKEN

    @property
    def standard_tokens(self) -> int:
        """Video tokens of 2 frames x 8 x 8 pixels."""
        return self.steps * TOKENS_PER_FRAME

    @property
    def dilated_tokens(self) -> int:
        """Video tokens of 2 frames x 16 x 16 pixels, every second of them."""
        return self.standard_tokens // 4


FMFORMER_T: Final = FmFormerSpec(segments=True, width=36)
FMFORMER_S: Final = FmFormerSpec(segments=True, width=48)
FMFORMER_B: Final = FmFormerSpec(segments=True)
FMFORMER_L: Final = FmFormerSpec(segments=True, depth=12)
"""The paper's four sizes with both heads. The widths of T and S are inferred from their counts of
parameters, the paper's text being hidden; B and L are certain."""


def spec_of(shapes: Shapes) -> FmFormerSpec:
    """Tell which variant has weights of these published keys and shapes.

    The answer is a guess to be held against every key and shape afterwards: it looks at few.

    Raises
    ------
    WeightsError
        If the keys are those of no variant.
    """
    modality = next((name for name, key in _POSITIONS.items() if key in shapes), None)
    layers = {found[1] for key in shapes if (found := _LAYER.match(key))}
    positions = shapes[_POSITIONS[modality]] if modality else ()
    if modality is None or not layers or len(positions) != len(("batch", "tokens", "width")):
        raise WeightsError(_not_published(shapes))
    _, tokens, width = positions
    steps = (tokens - 1) // TOKENS_PER_FRAME
    if steps < 1 or width < 1 or width % HEADS:
        raise WeightsError(_not_published(shapes))
    if modality == "current":
        return FmFormerSpec(modality, width=width, depth=len(layers))
    return FmFormerSpec(
        modality,
        classifies="head.mlp_head1.0.weight" in shapes,
        segments="head.decode_out.weight" in shapes,
        dilated="get_additional_tokens.pos_embedding" in shapes,
        frames=steps * FRAMES_PER_TOKEN,
        width=width,
        depth=len(layers),
    )


def difference(expected: Shapes, found: Shapes) -> str:
    """Say in one line how the keys and shapes of weights differ; empty where they do not."""
    missing = sorted(expected.keys() - found.keys())
    unexpected = sorted(found.keys() - expected.keys())
    reshaped = sorted(k for k in expected.keys() & found.keys() if expected[k] != found[k])
    parts = [_listed("missing", missing), _listed("unexpected", unexpected)]
    if reshaped:
        key = reshaped[0]
        parts.append(
            f"{len(reshaped)} of another shape ({key}: expected {expected[key]}, got {found[key]})"
        )
    return ", ".join(part for part in parts if part)


def _listed(what: str, keys: list[str]) -> str:
    more = ", …" if len(keys) > 1 else ""
    return f"{len(keys)} {what} ({keys[0]}{more})" if keys else ""


def _not_published(shapes: Shapes) -> str:
    first = f", the first {min(shapes)!r}" if shapes else ""
    return f"expected the state-dict keys of a published FmFormer, found {len(shapes)} keys{first}"
