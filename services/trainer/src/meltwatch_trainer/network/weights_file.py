"""Files of weights, read without running anything that they hold."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Final
from zipfile import BadZipFile

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from meltwatch_trainer.errors import WeightsError

_DAMAGE: Final = (
    *(UnpicklingError, SafetensorError, BadZipFile, RuntimeError, EOFError),
    *(LookupError, ValueError, TypeError, AttributeError, OverflowError, MemoryError),
)
"""What the two libraries raise over another file."""


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """Return the tensors of a ``.safetensors`` file, or of a state dict that PyTorch saved.

    Raises
    ------
    WeightsError
        If there is no such file, or it holds anything but named tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        with warnings.catch_warnings():
            # Another pickle protocol: what comes of it is read or refused, in our own words.
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"{path}: expected a file of weights: {error.strerror}") from error
    except _DAMAGE as error:
        raise WeightsError(
            f"{path}: expected named tensors (safetensors, or a state dict saved by PyTorch), "
            f"got a file that is not such"
        ) from error
    if not _is_named_tensors(content):
        raise WeightsError(f"{path}: expected a state dict, got {type(content).__name__}")
    return content


def _is_named_tensors(content: object) -> bool:
    return isinstance(content, Mapping) and all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    )
