"""What an ensemble member is made of."""

from dataclasses import dataclass
from typing import Final, Literal

CLIP_FRAMES: Final = 10
LOOKBACK_SAMPLES: Final = 240
PHASES: Final = 3
FRAME_SIZE: Final = 64
PATCH_SIZE: Final = 8

Modality = Literal["both", "video", "current"]


@dataclass(frozen=True, slots=True)
class MemberSpec:
    """The shape of one member: the published network's parts, and what is ours beside them.

    Parameters
    ----------
    width, depth, heads
        Width D of a token, encoder layers, attention heads (``width % heads == 0``).
    frames_per_token
        Frames that one video token spans; divides 10. The published model has 2.
    samples_per_token
        Current samples that one token spans; divides 240. The published model has 1.
    dilated
        Whether a second set of tokens looks at every second pixel (published model: yes).
    cross
        Whether the streams read each other (published model: yes), or meet at their heads only.
    levels
        Whether absolute levels reach the network: brightness of a patch, amperes of a phase. The
        published model normalises each patch and each instant by itself and is blind to both.
    modality
        What is read at all; what is not is as if it were always absent.
    decoder_widths
        Channels of the dense head at 16 x 16, 32 x 32 and 64 x 64 pixels.
    """

    width: int
    depth: int
    heads: int
    frames_per_token: int = 2
    samples_per_token: int = 1
    dilated: bool = True
    cross: bool = True
    levels: bool = True
    modality: Modality = "both"
    decoder_widths: tuple[int, int, int] = (24, 16, 8)

    @property
    def steps(self) -> int:
        """Video tokens that follow one another in time."""
        return CLIP_FRAMES // self.frames_per_token

    @property
    def standard_tokens(self) -> int:
        """Video tokens of 8 x 8 pixels."""
        return self.steps * (FRAME_SIZE // PATCH_SIZE) ** 2

    @property
    def classifies(self) -> bool:
        """Whether it has class heads: every member has."""
        return True

    @property
    def segments(self) -> bool:
        """Whether it has a dense head: only what reads video."""
        return self.modality != "current"

    @property
    def current_tokens(self) -> int:
        """Tokens of the look-back."""
        return LOOKBACK_SAMPLES // self.samples_per_token
