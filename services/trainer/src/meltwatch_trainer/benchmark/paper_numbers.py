"""What the paper reports on the FMF-Benchmark, as far as it is known to us.

Source: Wu et al., IEEE TCSVT 35(3), 2025, read from pictures of its tables; a ``~`` marks digits
that could also be read otherwise. F1, FDR and MDR stand in columns that we have not seen.
"""

from collections.abc import Mapping
from typing import Final

from meltwatch_trainer.network.published.spec import FMFORMER_B, FMFORMER_L, FmFormerSpec

UNKNOWN: Final = "unknown"

_DEPTHS: Final = {FMFORMER_B.depth: "FmFormer-B", FMFORMER_L.depth: "FmFormer-L"}
_PAPER: Final[Mapping[tuple[str, str, bool], Mapping[str, str]]] = {
    ("FmFormer-L", "both", True): {"accuracy": "0.9839"},
    ("FmFormer-B", "both", True): {"accuracy": "0.9837", "mIoU": "~0.8409"},
    ("FmFormer-B", "both", False): {"accuracy": "0.9757", "mIoU": "~0.8376"},
    ("FmFormer-B", "video", True): {"accuracy": "0.9731", "mIoU": "0.8382"},
    ("FmFormer-B", "video", False): {"accuracy": "~0.9694", "mIoU": "~0.8369"},
}
"""By size, modalities, dilated tokens; every row trained with both heads together."""
_ONE_HEAD: Final[Mapping[tuple[bool, bool], Mapping[str, str]]] = {
    (True, False): {"accuracy": "~0.9795"},
    (False, True): {"mIoU": "~0.8276"},
}
"""FmFormer-B on both modalities with one head alone: (classifies, segments)."""


def paper_numbers(spec: FmFormerSpec) -> Mapping[str, str]:
    """Return the paper's figures for a variant by metric; what is not there is unknown to us."""
    size = _DEPTHS.get(spec.depth) if spec.width == FMFORMER_B.width else None
    if size is None:
        return {}
    if spec.classifies and spec.segments:
        return _PAPER.get((size, spec.modality, spec.dilated), {})
    if (size, spec.modality, spec.dilated) == ("FmFormer-B", "both", True):
        return _ONE_HEAD[spec.classifies, spec.segments]
    return {}
