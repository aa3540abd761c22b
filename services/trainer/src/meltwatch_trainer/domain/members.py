"""What an ensemble member is made of, and the members that are shipped."""

from dataclasses import dataclass, field

CLIP_FRAMES = 10
LOOKBACK_SAMPLES = 240
PHASES = 3
FRAME_SIZE = 64
PATCH_SIZE = 8


@dataclass(frozen=True, slots=True)
class MemberSpec:
    """The shape of one FmFormer member; everything that its weights depend on.

    Parameters
    ----------
    name
        Letter of the member, the end of its model's name: ``fmformer_member_{name}``.
    width, depth, heads
        Width D of a token, encoder layers, attention heads (``width % heads == 0``).
    frames_per_token
        Frames that one video token spans; divides 10. The published model has 2.
    samples_per_token
        Current samples that one token spans; divides 240. The published model has 1.
    dilated
        Whether a second set of tokens looks at every second pixel (published model: yes).
    levels
        Whether absolute levels reach the network: brightness of a patch, amperes of a phase. The
        published model normalises each patch and each instant by itself and is blind to both.
    decoder_widths
        Channels of the dense head at 16x16, 32x32 and 64x64 pixels.
    seed
        Seed of the initial weights and of the order of training windows.
    """

    name: str
    width: int
    depth: int
    heads: int
    frames_per_token: int = 2
    samples_per_token: int = 1
    dilated: bool = True
    levels: bool = False
    decoder_widths: tuple[int, int, int] = field(default=(24, 16, 8))
    seed: int = 0

    @property
    def model_name(self) -> str:
        """Name of the member's folder in the model repository."""
        return f"fmformer_member_{self.name}"


MEMBER_A = MemberSpec(name="a", width=32, depth=2, heads=2, seed=11)
"""The published tokenisation, narrowed from 96 to 32 and from 6 layers to 2 to train on a CPU."""

MEMBER_B = MemberSpec(
    name="b",
    width=48,
    depth=3,
    heads=3,
    frames_per_token=5,
    samples_per_token=4,
    dilated=False,
    levels=True,
    seed=22,
)
"""Coarser in time, finer in channels, and aware of absolute brightness and amperes."""

SHIPPED_MEMBERS = (MEMBER_A, MEMBER_B)
