"""Files of golden outputs: ``.npz`` with an array per output and the two seeds that it is from."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Final
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812  # the library's own name is the bare word

import numpy as np
from numpy.typing import NDArray

from meltwatch_trainer.benchmark.parity_case import OUTPUT_SHAPES, Output, ParityCase
from meltwatch_trainer.errors import ParityFileError

_MAX_BYTES: Final = 256 << 20
_DAMAGE: Final = (
    *(ValueError, TypeError, EOFError, BadZipFile, ZlibError, UnpicklingError),
    *(LookupError, RuntimeError, MemoryError),
)
"""What NumPy and its archives raise over another file."""


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
