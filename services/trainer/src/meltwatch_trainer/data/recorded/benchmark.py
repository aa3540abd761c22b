"""Recordings of the FMF-Benchmark: played back through windows of the product's own rule."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from meltwatch_core.join.rules import PUBLISHED_RULES
from meltwatch_fmf_benchmark import (
    FormatError,
    NoRecordingsError,
    Playback,
    Recording,
    Repair,
    open_recordings,
    play,
)
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from numpy.typing import NDArray

from meltwatch_trainer.data.operation import observe
from meltwatch_trainer.data.recorded.store import FurnaceWriter
from meltwatch_trainer.errors import NoBenchmarkError, RecordingError

ORIGIN_NS: Final = 1_500_000_000 * NS_PER_S
"""The files tell no zone, and windows need a place in time: any will do."""
_BATCH_NS: Final = 64 * PUBLISHED_SPEC.hop_ns


def names_in(folder: Path, repairs: Collection[Repair]) -> list[str]:
    """Return the names of a folder's recordings.

    Raises
    ------
    NoBenchmarkError
        If there is none.
    RecordingError
        If one is not of the published form.
    """
    with _opened(folder, repairs) as recordings:
        return [recording.name for recording in recordings]


def write_recording(folder: Path, name: str, repairs: Collection[Repair], to: Path) -> list[Path]:
    """Write the whole windows of one recording, with the masks of their newest frames.

    Raises
    ------
    RecordingError
        If a file turns out to be damaged.
    """
    with _opened(folder, repairs) as recordings:
        recording = next(each for each in recordings if each.name == name)
        (playback,) = play([recording], ORIGIN_NS)
        target = to / "0000"
        with FurnaceWriter(target) as writer:
            _write_windows(playback, writer)
            writer.finish(f"{folder.name}: {name}", playback.furnace_id, has_masks=True)
        return [target] if len(writer) else []


def _write_windows(playback: Playback, writer: FurnaceWriter) -> None:
    recording = playback.recording
    end_ns = playback.begin_ns + int(_last_ns(recording))
    for since_ns in range(playback.begin_ns + PUBLISHED_SPEC.clip_span_ns, end_ns, _BATCH_NS):
        span_ns = since_ns, min(since_ns + _BATCH_NS, end_ns)
        seen = observe(playback, span_ns, PUBLISHED_SPEC)
        for number in range(len(seen.ends_ns)):
            at_ns = int(seen.ends_ns[number])
            if not since_ns <= at_ns or not _is_whole(playback, at_ns):
                continue
            clip = seen.frames[seen.frame_of[number]]
            fresh = writer.fresh(clip)
            frame = recording.frame_at(np.array([at_ns - playback.begin_ns]))
            mask = np.packbits(recording.pictures.masks(frame)[0], axis=-1)
            currents = seen.samples[seen.sample_of[number]]
            writer.write_window(at_ns, clip, clip[len(clip) - fresh :], currents, mask)


def _is_whole(playback: Playback, end_ns: int) -> bool:
    """Tell whether enough of a window's frames and samples were recorded, by the join's bounds."""
    spec, rules = PUBLISHED_SPEC, PUBLISHED_RULES
    frames_ns = _before(end_ns, spec.clip_frames, spec.frame_stride_ns)
    samples_ns = _before(end_ns, spec.lookback_samples, spec.sample_period_ns)
    has_frames = playback.has_frames(frames_ns)
    sampled = int(playback.has_currents(samples_ns).sum()) * 3
    return bool(
        has_frames[0] and has_frames.sum() >= rules.min_frames and sampled >= rules.min_values
    )


def _before(end_ns: int, count: int, step_ns: int) -> NDArray[np.int64]:
    return end_ns - np.arange(count, dtype=np.int64) * step_ns


def _last_ns(recording: Recording) -> np.int64:
    last: np.int64 = min(recording.frame_times_ns[-1], recording.currents.times_ns[-1])
    return last


@contextmanager
def _opened(folder: Path, repairs: Collection[Repair]) -> Iterator[list[Recording]]:
    try:
        with open_recordings(folder, repairs) as recordings:
            yield recordings
    except NoRecordingsError as error:
        raise NoBenchmarkError(str(error)) from error
    except FormatError as error:
        raise RecordingError(str(error)) from error
