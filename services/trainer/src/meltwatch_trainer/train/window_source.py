"""Batches of windows on the device that learns from them."""

from functools import lru_cache
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from meltwatch_trainer.train.augmentation import Batch

_FIELDS: Final = ("clips", "currents", "masks", "labels")
_SHARE_OF_MEMORY: Final = 0.6
"""Of what a GPU has free: the rest is for the training itself."""
_CHUNK: Final = 2048


class LearnableWindows(Protocol):
    """Windows that can be asked for by number, a field at a time (see ``WindowArrays``)."""

    def __len__(self) -> int:
        """Return the number of windows."""
        ...

    @property
    def nbytes(self) -> int:
        """What all of them take in memory."""
        ...

    def take(self, name: str, index: NDArray[np.int64], /) -> NDArray[Any]:
        """Return one field of the windows of these numbers."""
        ...


class WindowSource:
    """Windows by number: resident on a GPU that has room for all, read from disk otherwise.

    Parameters
    ----------
    windows
        May be mapped from disk.
    device
        Where batches are wanted.
    """

    def __init__(self, windows: LearnableWindows, device: torch.device) -> None:
        self._windows = windows
        self._device = device
        self._resident = self._load() if self._fits() else None

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self._windows)

    def batch(self, index: NDArray[np.int64]) -> Batch:
        """Return the windows of these numbers, as they are."""
        if self._resident is None:
            values = [self._tensor(name, index) for name in _FIELDS]
        else:
            where = torch.from_numpy(index).to(self._device, non_blocking=True)
            values = [self._resident[name][where] for name in _FIELDS]
        clips, currents, masks, labels = values
        return Batch(clips, currents, masks, labels.float())

    def _fits(self) -> bool:
        if self._device.type != "cuda":
            return False
        free, _ = torch.cuda.mem_get_info(self._device)
        return self._windows.nbytes < _SHARE_OF_MEMORY * free

    def _load(self) -> dict[str, Tensor]:
        return {name: self._loaded(name) for name in _FIELDS}

    def _loaded(self, name: str) -> Tensor:
        """Copy in chunks: a mapped array may be larger than the host's memory."""
        first = self._tensor(name, np.arange(1))
        whole = torch.empty((len(self), *first.shape[1:]), dtype=first.dtype, device=self._device)
        for start in range(0, len(self), _CHUNK):
            numbers = np.arange(start, min(start + _CHUNK, len(self)))
            whole[start : start + _CHUNK] = self._tensor(name, numbers)
        return whole

    def _tensor(self, name: str, index: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(self._windows.take(name, index)).to(self._device)


def batch_index(seed: int, step: int, batch: int, windows: int) -> NDArray[np.int64]:
    """Return a step's windows: each epoch is a new order of all, less an incomplete last batch."""
    epoch, number = divmod(step, windows // batch)
    return _order(seed, epoch, windows)[number * batch : (number + 1) * batch]


@lru_cache(maxsize=1)
def _order(seed: int, epoch: int, windows: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(windows)
