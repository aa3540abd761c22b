"""A furnace of a recording as its whole windows on disk: written once, mapped afterwards."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from meltwatch_trainer.data.furnace_run import Observation
from meltwatch_trainer.data.windows import TimesNs
from meltwatch_trainer.errors import RecordingError

CLIP: Final = 10
LOOK_BACK: Final = 240
_FRAME: Final = (64, 64, 3)
_META: Final = "recording.json"
_FILES: Final = ("frames", "samples", "masks")


@dataclass(frozen=True, slots=True)
class RecordedFurnace:
    """One furnace in one recording: every window in which both modalities were whole.

    Attributes
    ----------
    name
        Names it in reports and in refusals.
    furnace_id, folder
        Which furnace; where its windows lie.
    ends_ns
        ``(n,)``, window ends in order.
    frame_of
        ``(n, 10)``: which frames a window's clip consists of, oldest first.
    has_masks
        Whether somebody drew the anomalous pixels.
    """

    name: str
    furnace_id: str
    folder: Path
    ends_ns: TimesNs
    frame_of: NDArray[np.int64]
    has_masks: bool

    @property
    def frames(self) -> NDArray[np.uint8]:
        """All frames ``(f, 64, 64, 3)``, mapped."""
        return self._mapped("frames", np.uint8, _FRAME)

    @property
    def samples(self) -> NDArray[np.float32]:
        """The look-back of each window ``(n, 240, 3)``, mapped."""
        return self._mapped("samples", np.float32, (LOOK_BACK, 3))

    @property
    def masks(self) -> NDArray[np.uint8]:
        """The mask of each window's newest frame ``(n, 64, 8)``, a bit for each pixel, mapped."""
        return self._mapped("masks", np.uint8, (64, 8))

    def observed(self, windows: NDArray[np.int64]) -> Observation:
        """Return some of its windows, in order, as an observation in memory."""
        rows, frame_of = np.unique(self.frame_of[windows], return_inverse=True)
        count = len(windows)
        return Observation(
            ends_ns=self.ends_ns[windows],
            frames=np.array(self.frames[rows]),
            newest_ns=self.ends_ns[windows],
            samples=np.array(self.samples[windows]).reshape(-1, 3),
            frame_of=frame_of.reshape(count, CLIP),
            sample_of=np.arange(count * LOOK_BACK).reshape(count, LOOK_BACK),
        )

    def _mapped(self, name: str, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        flat: NDArray[Any] = np.memmap(self.folder / f"{name}.bin", dtype, "r")
        return flat.reshape(-1, *shape)


class FurnaceWriter:
    """Writes the windows of one furnace; what two of them share is kept once.

    Parameters
    ----------
    folder
        A new folder; without its last file it is nothing.
    """

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}
        self._clip: NDArray[np.generic] | None = None
        self._rows: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._frames = 0
        self._ends: list[int] = []
        self._frame_of: list[NDArray[np.int64]] = []

    def __enter__(self) -> Self:
        self._files = {name: (self._folder / f"{name}.bin").open("wb") for name in _FILES}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for file in self._files.values():
            file.close()

    def __len__(self) -> int:
        """Return how many windows were written."""
        return len(self._ends)

    def fresh(self, clip: NDArray[np.generic]) -> int:
        """Return how many of a clip's frames, its newest, the window before did not have."""
        if self._clip is not None:
            for fresh in range(CLIP):
                if np.array_equal(clip[: CLIP - fresh], self._clip[fresh:]):
                    return fresh
        return CLIP

    def write_window(
        self,
        end_ns: int,
        clip: NDArray[np.generic],
        newest: NDArray[np.uint8],
        currents: NDArray[np.float32],
        mask: NDArray[np.uint8] | None = None,
    ) -> None:
        """Write the next window.

        Parameters
        ----------
        clip
            Ten frames in whatever form, oldest first: only compared with the window before.
        newest
            Those of them that ``fresh`` counts, as pictures.
        mask
            Of the newest frame, ``(64, 8)``.
        """
        added = np.arange(self._frames, self._frames + len(newest))
        self._rows = np.concatenate([self._rows[len(newest) :], added])[-CLIP:]
        self._frames += len(newest)
        self._clip = clip
        self._ends.append(end_ns)
        self._frame_of.append(self._rows)
        self._files["frames"].write(np.ascontiguousarray(newest).tobytes())
        self._files["samples"].write(np.ascontiguousarray(currents, dtype=np.float32).tobytes())
        if mask is not None:
            self._files["masks"].write(mask.tobytes())

    def finish(self, name: str, furnace_id: str, *, has_masks: bool) -> None:
        """Say what it is: from now on it can be opened."""
        np.save(self._folder / "ends.npy", np.array(self._ends, dtype=np.int64))
        np.save(self._folder / "frame_of.npy", np.array(self._frame_of, dtype=np.int64))
        for file in self._files.values():
            file.flush()
        meta = {"name": name, "furnace_id": furnace_id, "has_masks": has_masks}
        (self._folder / _META).write_text(json.dumps(meta))


def open_furnace(folder: Path) -> RecordedFurnace:
    """Return what a writer has finished.

    Raises
    ------
    RecordingError
        If it is not whole.
    """
    try:
        meta = json.loads((folder / _META).read_text())
        return RecordedFurnace(
            name=meta["name"],
            furnace_id=meta["furnace_id"],
            folder=folder,
            ends_ns=np.load(folder / "ends.npy"),
            frame_of=np.load(folder / "frame_of.npy"),
            has_masks=meta["has_masks"],
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RecordingError(
            f"{folder}: expected windows that an earlier run prepared, got {error}; delete it"
        ) from error
