"""Windows of the benchmark's recordings, read from their files one batch at a time."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from meltwatch_fmf_benchmark import FormatError, Recording, open_recordings
from numpy.typing import NDArray

from meltwatch_trainer.benchmark.windows import ClipSpec, LoaderRule, look_back
from meltwatch_trainer.errors import BenchmarkError


class BenchmarkBatch(NamedTuple):
    """Windows, oldest frame and sample first.

    Attributes
    ----------
    clips
        Shape ``(b, frames, 64, 64, 3)``, uint8, RGB, upright.
    currents
        Shape ``(b, 240, 3)``, float32, amperes.
    masks
        Shape ``(b, 64, 64)``, of the last frame; True is abnormal.
    """

    clips: NDArray[np.uint8]
    currents: NDArray[np.float32]
    masks: NDArray[np.bool_]

    @property
    def labels(self) -> NDArray[np.bool_]:
        """Shape ``(b,)``: a window is abnormal if any pixel of its last frame is."""
        return np.asarray(self.masks.any(axis=(1, 2)))


@dataclass(frozen=True, slots=True)
class BenchmarkWindows:
    """The windows of one split over all recordings, in their order.

    Attributes
    ----------
    recordings
        Open for as long as windows are read.
    spec
        What a window is made of.
    places
        Shape ``(n, 2)``, int64: recording and judged frame of each window.
    """

    recordings: Sequence[Recording]
    spec: ClipSpec
    places: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.places)

    def read(self, index: NDArray[np.int64]) -> BenchmarkBatch:
        """Read windows by number."""
        windows = [self._window(int(r), int(frame)) for r, frame in self.places[index]]
        clips, currents, masks = zip(*windows, strict=True)
        return BenchmarkBatch(np.stack(clips), np.stack(currents), np.stack(masks))

    def batches(self, size: int) -> Iterator[BenchmarkBatch]:
        """Read all windows, some at a time."""
        for start in range(0, len(self), size):
            yield self.read(np.arange(start, min(start + size, len(self))))

    def _window(
        self, number: int, frame: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]:
        recording = self.recordings[number]
        return (
            recording.pictures.frames(self.spec.clip(frame)),
            look_back(recording.currents.samples, self._last_sample(recording, frame)),
            recording.pictures.masks(np.array([frame]))[0],
        )

    def _last_sample(self, recording: Recording, frame: int) -> int:
        times_ns = recording.currents.times_ns
        if self.spec.rule is LoaderRule.PUBLISHED:
            # Both samples of the frame's second, though the second may be later than the frame.
            return min(2 * int(recording.frame_seconds[frame]) + 1, len(times_ns) - 1)
        at = np.searchsorted(times_ns, recording.frame_times_ns[frame], side="right")
        return max(int(at) - 1, 0)


@contextmanager
def open_benchmark(folder: Path) -> Iterator[Sequence[Recording]]:
    """Open the recordings of a folder until the context is left.

    Raises
    ------
    BenchmarkError
        If its files are not of the benchmark's form; also if that turns out within the context.
    """
    try:
        with open_recordings(folder) as recordings:
            yield recordings
    except FormatError as error:
        raise BenchmarkError(str(error)) from error


def split_windows(
    recordings: Sequence[Recording], split: str, spec: ClipSpec, seed: int = 0
) -> BenchmarkWindows:
    """Return the windows of a split.

    Parameters
    ----------
    recordings
        Of ``open_recordings``.
    split
        ``train`` or ``test``.
    spec
        What a window is made of.
    seed
        Of the frames that the published loader draws in place of early ones; its tests have 0.

    Raises
    ------
    FormatError
        If the files do not tell the split.
    BenchmarkError
        If it is empty.
    """
    chance = random.Random(seed)  # noqa: S311 - the published loader's own generator, no secret
    places = [
        np.stack([np.full(len(frames), number), frames], axis=1)
        for number, recording in enumerate(recordings)
        if len(frames := spec.judged(recording.split(split), chance.randint))
    ]
    if not places:
        raise BenchmarkError(f"{_folder(recordings)}: expected frames in the {split} split, got 0")
    return BenchmarkWindows(recordings, spec, np.concatenate(places).astype(np.int64))


def _folder(recordings: Sequence[Recording]) -> Path:
    return recordings[0].source.parent
