"""Golden outputs and what their seeds stand for: weights and inputs, drawn by NumPy.

A file (``.npz``) has an array per output and the two seeds that it is from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Final, Literal
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812  # the library's own name is the bare word

import numpy as np
from numpy.typing import NDArray

from meltwatch_trainer.errors import ParityFileError
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

_MAX_BYTES: Final = 256 << 20
_DAMAGE: Final = (
    *(ValueError, TypeError, EOFError, BadZipFile, ZlibError, UnpicklingError),
    *(LookupError, RuntimeError, MemoryError),
)
"""What NumPy and its archives raise over another file."""


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


def read_cases(path: Path) -> list[ParityCase]:
    """Return the cases of a file: ``OUTPUT``, ``weight_seed_OUTPUT``, ``input_seed_OUTPUT``.

    Raises
    ------
    ParityFileError
        If the file cannot be read, or holds no output, one without seeds, or anything else.
    """
    arrays = _arrays(path)
    outputs = [output for output in OUTPUT_SHAPES if output in arrays]
    if not outputs:
        raise ParityFileError(
            f"{path}: expected {' or '.join(OUTPUT_SHAPES)}, got {', '.join(arrays) or 'nothing'}"
        )
    known = {
        f"{part}{output}" for output in outputs for part in ("", "weight_seed_", "input_seed_")
    }
    if unknown := sorted(arrays.keys() - known):
        raise ParityFileError(f"{path}: expected outputs and their seeds alone, got {unknown[0]!r}")
    return [_case(path, arrays, output) for output in outputs]


def _arrays(path: Path) -> Mapping[str, NDArray[np.generic]]:
    try:
        _check_size(path)
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except OSError as error:
        raise ParityFileError(f"{path}: expected a file: {error.strerror or error}") from error
    # A lone .npy file is an array, which is no context and has no items.
    except _DAMAGE as error:
        raise ParityFileError(f"{path}: expected an .npz archive, got another file") from error


def _check_size(path: Path) -> None:
    """Refuse an archive that would unpack to more than golden outputs are."""
    with ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > _MAX_BYTES:
        raise ParityFileError(f"{path}: expected at most {_MAX_BYTES} bytes unpacked, got {size}")


def _case(path: Path, arrays: Mapping[str, NDArray[np.generic]], output: Output) -> ParityCase:
    expected = arrays[output]
    shape = OUTPUT_SHAPES[output]
    if expected.shape != shape or expected.dtype.kind != "f":
        raise ParityFileError(
            f"{path}: expected {output} of floats {shape}, got {expected.dtype} {expected.shape}"
        )
    weight_seed, input_seed = (
        _seed(path, arrays, f"{what}_seed_{output}") for what in ("weight", "input")
    )
    return ParityCase(output, weight_seed, input_seed, expected.astype(np.float32))


def _seed(path: Path, arrays: Mapping[str, NDArray[np.generic]], key: str) -> int:
    seed = arrays.get(key)
    if seed is None or seed.shape != () or seed.dtype.kind not in "iu" or int(seed) < 0:
        got = "none" if seed is None else f"{seed.dtype} {seed.tolist()!r:.40}"
        raise ParityFileError(f"{path}: expected {key}, a whole number from 0, got {got}")
    return int(seed)
