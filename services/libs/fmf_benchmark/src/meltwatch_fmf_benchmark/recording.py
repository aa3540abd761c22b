"""One recording of a furnace: pictures stay in their file, currents and times are in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_fmf_benchmark.errors import FormatError

IntArray = NDArray[np.int64]

SAMPLE_PERIOD_NS: Final = 500_000_000
FRAME_PERIOD_NS: Final = 40_000_000
SECOND_NS: Final = 1_000_000_000
FRAMES_PER_SECOND: Final = SECOND_NS // FRAME_PERIOD_NS
SIDE: Final = 64
"""Pixels; pictures and masks are square."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures and masks of a recording, read from their open file when asked for.

    MATLAB's first axis, the height, is the last one here; what is handed out is upright again.
    Reading raises ``FormatError`` where the file turns out to be damaged.

    Attributes
    ----------
    video
        HDF5 data set ``(T, 3, W, H)``, RGB, greys 0..255.
    label
        HDF5 data set ``(T, W, H)``; above 0 is anomalous.
    """

    video: Any
    label: Any

    def frames(self, index: IntArray) -> NDArray[np.uint8]:
        """Return pictures by frame number, in any order: ``(n, H, W, 3)``, uint8, RGB."""
        rows = _rows(self.video, index)
        if rows.dtype != np.uint8:
            rows = _whole_greys(rows, index, self.video)
        return np.ascontiguousarray(rows.transpose(0, 3, 2, 1))

    def masks(self, index: IntArray) -> NDArray[np.bool_]:
        """Return masks by frame number, in any order: ``(n, H, W)``, True is anomalous."""
        return np.ascontiguousarray(_rows(self.label, index).transpose(0, 2, 1)) > 0


@dataclass(frozen=True, slots=True)
class Currents:
    """The three-phase currents of a recording, two samples a second.

    Attributes
    ----------
    times_ns
        Shape ``(m,)``, int64, ascending; 0 is the first sample.
    samples
        Shape ``(m, 3)``, float32, amperes.
    """

    times_ns: IntArray
    samples: NDArray[np.float32]

    def held(self, times_ns: IntArray) -> NDArray[np.float32]:
        """Return the last sample at or before each time, ``(n, 3)``; before the first: the first.

        Parameters
        ----------
        times_ns
            Since the first sample.
        """
        return self.samples[_last_at(self.times_ns, times_ns)]


@dataclass(frozen=True, slots=True)
class Recording:
    """One furnace for some time.

    Attributes
    ----------
    name
        The base name of its files.
    source
        The file with the pictures, for messages.
    frame_times_ns
        Shape ``(T,)``, int64, strictly ascending, since the first current sample.
    frame_seconds
        Shape ``(T,)``, int64: which of the recording's seconds of currents each frame lies in.
    splits
        Frame numbers of ``train`` and ``test``, ascending or not, where the files tell them.
    """

    name: str
    source: Path
    pictures: Pictures
    currents: Currents
    frame_times_ns: IntArray
    frame_seconds: IntArray
    splits: Mapping[str, IntArray]

    def split(self, name: str) -> IntArray:
        """Return the frame numbers of a split.

        Raises
        ------
        FormatError
            If the files do not tell.
        """
        if name not in self.splits:
            raise FormatError(f"{self.source}: expected its {name} split, found none beside it")
        return self.splits[name]

    def frame_at(self, times_ns: IntArray) -> IntArray:
        """Return the last frame at or before each time since the first sample, else frame 0."""
        return _last_at(self.frame_times_ns, times_ns)


def _last_at(times_ns: IntArray, wanted_ns: IntArray) -> IntArray:
    found = np.searchsorted(times_ns, wanted_ns, side="right") - 1
    return np.maximum(found, 0).astype(np.int64)


def _rows(dataset: Any, index: IntArray) -> Any:
    """Return rows in any order and number.

    One by one, each once: HDF5 takes ten times as long for a clip when asked for its rows together.
    """
    distinct, back = np.unique(index, return_inverse=True)
    try:
        return np.stack([dataset[row] for row in distinct])[back]
    except (OSError, RuntimeError, ValueError, MemoryError) as error:
        raise FormatError(
            f"{dataset.file.filename}: expected readable {dataset.name[1:]}, got {error}"
        ) from error


def _whole_greys(rows: NDArray[Any], index: IntArray, video: Any) -> NDArray[np.uint8]:
    """Return pictures of another type as uint8; refused where a value is no grey."""
    with np.errstate(invalid="ignore"):
        wrong = ~((rows >= 0) & (rows <= 255)).all(axis=(1, 2, 3))  # NaN is wrong too
    if wrong.any():
        frame = int(index[np.flatnonzero(wrong)[0]])
        raise FormatError(
            f"{video.file.filename}: expected greys of 0 to 255 in {video.name[1:]}, "
            f"got others in frame {frame}"
        )
    greys: NDArray[np.uint8] = np.rint(rows).astype(np.uint8)
    return greys
