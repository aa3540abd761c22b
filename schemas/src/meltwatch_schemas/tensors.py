"""The tensors that cross into and out of Triton: names, types, shapes, order."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from meltwatch_schemas.current import PHASES
from meltwatch_schemas.encoder import PATCHES, SIDE
from meltwatch_schemas.window import WindowSpec

ENSEMBLE: Final = "fmformer"
PATCHES_INPUT: Final = "patches"
CURRENTS_INPUT: Final = "currents"
AVAILABLE_INPUT: Final = "available"
LOGIT: Final = "logit"
MEMBER_LOGITS: Final = "member_logits"
DISAGREEMENT: Final = "disagreement"
ANOMALY_MAP: Final = "anomaly_map"
PARAMETERS: Final = (
    "model_version", "digest", "spec_id", "encoder_id", "members", "trained_on",
)  # fmt: skip
"""Keys of ``parameters`` in the ensemble's configuration."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor without its batch dimension.

    Attributes
    ----------
    name
        As in the model configuration.
    datatype
        Triton's word for the type: FP16, FP32.
    shape
        Without the batch dimension, which comes first.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]

    @property
    def dtype(self) -> "np.dtype[np.floating]":
        """The NumPy type."""
        return np.dtype(np.float16 if self.datatype == "FP16" else np.float32)


def inputs(spec: WindowSpec, dims: int) -> tuple[TensorSpec, ...]:
    """Return the ensemble's inputs.

    Time ascends along the first axis of ``patches`` and ``currents``: index 0 is the oldest,
    the last the newest. ``available`` holds 1 or 0 for video and current, in this order; the
    tensor of an absent modality is zeros and must not influence the result.
    """
    return (
        TensorSpec(PATCHES_INPUT, "FP16", (spec.clip_frames, PATCHES, dims)),
        TensorSpec(CURRENTS_INPUT, "FP32", (spec.lookback_samples, PHASES)),
        TensorSpec(AVAILABLE_INPUT, "FP32", (2,)),
    )


def outputs(members: int) -> tuple[TensorSpec, ...]:
    """Return the ensemble's outputs; ``anomaly_map`` lies within 0..1."""
    return (
        TensorSpec(LOGIT, "FP32", (1,)),
        TensorSpec(MEMBER_LOGITS, "FP32", (members,)),
        TensorSpec(DISAGREEMENT, "FP32", (1,)),
        TensorSpec(ANOMALY_MAP, "FP32", (SIDE, SIDE)),
    )
