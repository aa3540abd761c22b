"""What the seeds of a file of golden outputs stand for: weights and inputs, drawn by NumPy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from meltwatch_trainer.network.member_spec import CLIP_FRAMES, FRAME_SIZE, LOOKBACK_SAMPLES, PHASES
from meltwatch_trainer.network.published.spec import FmFormerSpec, Shapes

Output = Literal["classification", "segmentation"]

BATCH: Final = 2
SPECS: Final[Mapping[Output, FmFormerSpec]] = {
    "classification": FmFormerSpec(),
    "segmentation": FmFormerSpec(classifies=False, segments=True),
}
"""The network of each output that a file may hold."""
OUTPUT_SHAPES: Final[Mapping[Output, tuple[int, ...]]] = {
    "classification": (BATCH, 2),
    "segmentation": (BATCH, 2, FRAME_SIZE, FRAME_SIZE),
}


@dataclass(frozen=True, slots=True, eq=False)
class ParityCase:
    """One output of the reference implementation, and the seeds that it was made from.

    Parameters
    ----------
    expected
        Float32 logits of the shape in ``OUTPUT_SHAPES``.
    """

    output: Output
    weight_seed: int
    input_seed: int
    expected: NDArray[np.float32]


def seeded_weights(shapes: Shapes, seed: int) -> dict[str, NDArray[np.generic]]:
    """Draw weights key by key, in sorted order, at scales that keep activations near 1.

    Parameters
    ----------
    shapes
        Every key of the state dict; ``num_batches_tracked`` is 0 and draws nothing.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    return {key: _weight(rng, key, shapes[key]) for key in sorted(shapes)}


def seeded_inputs(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Draw a clip ``(2, 3, 10, 64, 64)`` of greys and currents ``(2, 240, 3)`` in amperes."""
    rng = np.random.Generator(np.random.PCG64(seed))
    size = (BATCH, 3, CLIP_FRAMES, FRAME_SIZE, FRAME_SIZE)
    clip = rng.integers(0, 256, size, dtype=np.uint8)
    current = rng.normal(8000, 2000, (BATCH, LOOKBACK_SAMPLES, PHASES)).astype(np.float32)
    return clip, current


def _weight(rng: np.random.Generator, key: str, shape: tuple[int, ...]) -> NDArray[np.generic]:
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, dtype=np.int64)
    drawn = rng.standard_normal(shape).astype(np.float32)
    if key.endswith("running_var"):
        return np.abs(drawn) + np.float32(0.5)
    if len(shape) > 1 and "pos_embedding" not in key and "cls_token" not in key:
        return drawn / np.float32(np.sqrt(np.prod(shape[1:])))
    scaled = np.float32(0.1) * drawn
    return 1 + scaled if key.endswith("weight") else scaled
