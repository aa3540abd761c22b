"""Windows on disk: arrays that are mapped, not read; a furnace at a time; resumable."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from meltwatch_trainer.errors import CacheMismatchError, UnfinishedTrainingError

_FIELDS: Final = {
    "clips": ("u1", (10, 64, 64, 3)),
    "currents": ("f4", (240, 3)),
    "masks": ("u1", (64, 64)),
    "labels": ("i1", ()),
}
_DONE: Final = "done"
"""A byte for each part: writers of different parts never touch the same one."""


@dataclass(frozen=True, slots=True)
class WindowArrays:
    """Windows as arrays over n; time runs from oldest to newest.

    Attributes
    ----------
    clips
        ``(n, 10, 64, 64, 3)``, uint8.
    currents
        ``(n, 240, 3)``, float32, amperes.
    masks
        ``(n, 64, 64)``, uint8, of the newest frame: 1 anomalous, 0 normal.
    labels
        ``(n,)``, int8: 1 anomalous, 0 normal, -1 unclear.
    """

    clips: NDArray[np.uint8]
    currents: NDArray[np.float32]
    masks: NDArray[np.uint8]
    labels: NDArray[np.int8]

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.labels)

    @property
    def nbytes(self) -> int:
        """What all of them take in memory."""
        return int(sum(getattr(self, name).nbytes for name in _FIELDS))

    def take(self, name: str, index: NDArray[np.int64]) -> NDArray[Any]:
        """Return one field of the windows of these numbers."""
        taken: NDArray[Any] = getattr(self, name)[index]
        return taken


class WindowCache:
    """A folder of arrays that is filled in parts, in any order, and read as a whole.

    Several processes may write at once, each its own parts.

    Parameters
    ----------
    folder
        Where the arrays lie.
    made_from
        Everything that the windows depend on; another value refuses the folder.
    parts, part_size
        Number of parts, and of windows in each.
    """

    def __init__(
        self, folder: Path, made_from: Mapping[str, object], parts: int, part_size: int
    ) -> None:
        self._folder = folder
        self._made_from = {**made_from, "parts": parts, "part_size": part_size}
        self._part_size = part_size
        folder.mkdir(parents=True, exist_ok=True)
        index = folder / "index.json"
        if not index.exists():
            self._create(index, parts)
        found = json.loads(index.read_text())
        if found != self._made_from:
            raise CacheMismatchError(
                f"{folder}: expected windows made from {self._made_from}, "
                f"found {found}; delete the folder or name another"
            )

    @property
    def missing(self) -> list[int]:
        """Numbers of the parts that are not complete."""
        return [int(part) for part in np.flatnonzero(self._map(_DONE, "r") == 0)]

    def write(self, part: int, windows: WindowArrays) -> None:
        """Write the windows of one part and count it as complete."""
        start = part * self._part_size
        for name in _FIELDS:
            self._map(name, "r+")[start : start + self._part_size] = getattr(windows, name)
        self._map(_DONE, "r+")[part] = 1

    def read(self) -> WindowArrays:
        """Return all windows, mapped read-only.

        Raises
        ------
        UnfinishedTrainingError
            If parts are missing.
        """
        if missing := len(self.missing):
            raise UnfinishedTrainingError(
                f"{self._folder}: expected all windows, {missing} furnaces are missing; "
                f"run simulate first"
            )
        return WindowArrays(**{name: self._map(name, "r") for name in _FIELDS})

    def _create(self, index: Path, parts: int) -> None:
        """Make room for all windows; the index comes last, so that what has one is whole."""
        for name, (dtype, shape) in _FIELDS.items():
            self._new(name, dtype, (parts * self._part_size, *shape))
        self._new(_DONE, "u1", (parts,))
        temporary = index.with_suffix(".new")
        temporary.write_text(json.dumps(self._made_from))
        temporary.replace(index)

    def _new(self, name: str, dtype: str, shape: tuple[int, ...]) -> None:
        np.lib.format.open_memmap(self._folder / f"{name}.npy", "w+", dtype, shape)

    def _map(self, name: str, mode: Literal["r", "r+"]) -> NDArray[Any]:
        mapped: NDArray[Any] = np.load(self._folder / f"{name}.npy", mmap_mode=mode)
        return mapped
