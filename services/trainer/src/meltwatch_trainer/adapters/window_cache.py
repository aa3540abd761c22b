"""Windows on disk: arrays that are mapped, not read; a furnace at a time; resumable."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from meltwatch_trainer.errors import CacheMismatchError

_FIELDS: Final = {
    "clips": ("u1", (10, 64, 64, 3)),
    "currents": ("f4", (240, 3)),
    "masks": ("u1", (64, 64)),
    "labels": ("i1", ()),
    "misty": ("u1", ()),
}


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
        ``(n, 64, 64)``, uint8, of the newest frame.
    labels
        ``(n,)``, int8: 1 anomalous, 0 normal, -1 unclear.
    misty
        ``(n,)``, uint8: 1 under heavy mist that comes with a fault.
    """

    clips: NDArray[np.uint8]
    currents: NDArray[np.float32]
    masks: NDArray[np.uint8]
    labels: NDArray[np.int8]
    misty: NDArray[np.uint8]


class WindowCache:
    """A folder of arrays that is filled in parts and read as a whole.

    Parameters
    ----------
    folder
        Where the arrays lie.
    made_from
        Everything that the windows depend on; another value refuses the folder.
    size
        Number of windows.
    """

    def __init__(self, folder: Path, made_from: Mapping[str, object], size: int) -> None:
        self._folder = folder
        self._made_from = {**made_from, "size": size}
        self._size = size
        folder.mkdir(parents=True, exist_ok=True)
        self._index = folder / "index.json"
        if not self._index.exists():
            self._create()
        found = json.loads(self._index.read_text())
        if found["made_from"] != self._made_from:
            raise CacheMismatchError(
                f"{folder}: expected windows made from {self._made_from}, "
                f"found {found['made_from']}; delete the folder or name another"
            )

    @property
    def parts_done(self) -> int:
        """Number of parts that are complete."""
        return int(json.loads(self._index.read_text())["parts_done"])

    def write(self, part: int, start: int, windows: WindowArrays) -> None:
        """Write the windows of one part at an offset and count it as done."""
        for name in _FIELDS:
            values = getattr(windows, name)
            self._map(name, "r+")[start : start + len(values)] = values
        self._save_index(part + 1)

    def read(self) -> WindowArrays:
        """Return all windows, mapped read-only."""
        return WindowArrays(**{name: self._map(name, "r") for name in _FIELDS})

    def _create(self) -> None:
        for name, (dtype, shape) in _FIELDS.items():
            path = self._folder / f"{name}.npy"
            np.lib.format.open_memmap(path, "w+", dtype, (self._size, *shape))
        self._save_index(0)

    def _save_index(self, parts_done: int) -> None:
        content = json.dumps({"made_from": self._made_from, "parts_done": parts_done})
        temporary = self._index.with_suffix(".new")
        temporary.write_text(content)
        temporary.replace(self._index)

    def _map(self, name: str, mode: Literal["r", "r+"]) -> NDArray[Any]:
        mapped: NDArray[Any] = np.load(self._folder / f"{name}.npy", mmap_mode=mode)
        return mapped
