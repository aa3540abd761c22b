"""Writes small recordings of exactly the form of the published FMF-Benchmark files.

A picture's red channel is its column, green its row, blue the frame's number; sample ``k`` of the
currents is ``6000 + k`` amperes in the first phase, 1 and 2 more in the others. Frames within
``HOT`` are anomalous in rows 4..7, columns 20..29.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np

HOT = range(60, 90)
HOT_ROWS, HOT_COLUMNS = slice(4, 8), slice(20, 30)
BEGIN = datetime(2018, 4, 19, 21, 40, 52)  # noqa: DTZ001 - the files tell no zone
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


def pictures(frames: int) -> tuple[Any, Any]:
    """Return video ``(T, H, W, 3)`` and masks ``(T, H, W)``, upright."""
    video = np.empty((frames, 64, 64, 3), np.uint8)
    video[..., 0] = np.arange(64)[None, None, :]
    video[..., 1] = np.arange(64)[None, :, None]
    video[..., 2] = (np.arange(frames) % 256)[:, None, None]
    masks = np.zeros((frames, 64, 64), np.uint8)
    masks[HOT.start : HOT.stop, HOT_ROWS, HOT_COLUMNS] = 255
    return video, masks


def amperes(samples: int) -> Any:
    """Return currents ``(m, 3)``."""
    return 6000 + np.arange(samples)[:, None] + np.arange(3.0)[None, :]


def write_second_layout(
    folder: Path,
    name: str = "SaveToAvi-4-19-21_40_52-6002",
    frames: int = 250,
    first_second_frames: int = 25,
    splits: Mapping[str, Sequence[int]] | None = None,
) -> Path:
    """Write ``videos/``, ``currents/`` and ``timestamps/`` of one recording, and its splits."""
    for part in ("videos", "currents", "timestamps"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    _write_pictures(folder / "videos" / f"{name}.mat", "data", frames)
    second_of = (np.arange(frames) + 25 - first_second_frames) // 25
    seconds = int(second_of[-1]) + 1
    times = [(BEGIN + timedelta(seconds=s)).strftime(TIME_FORMAT) for s in range(seconds)]
    rows = [[times[k // 2], *sample] for k, sample in enumerate(amperes(2 * seconds).tolist())]
    _write_csv(folder / "currents" / f"{name}.csv", ["time", "A", "B", "C"], rows)
    stamps = [[times[second]] for second in second_of]
    _write_csv(folder / "timestamps" / f"{name}.csv", ["time"], stamps)
    for split, index in (splits or {}).items():
        path = folder / f"{split}.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**known, f"{name}.mat": list(index)}))
    return folder


def write_first_layout(folder: Path, name: str = "batch-1", frames: int = 250) -> Path:
    """Write one MATLAB file with everything; the last 100 frames are the test split."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.mat"
    _write_pictures(path, "video", frames)
    with h5py.File(path, "a") as file:
        # Two samples a second, already repeated to one column per frame.
        file["current"] = amperes(frames)[(np.arange(frames) / 12.5).astype(int)]
        file["train_test_index"] = (np.arange(frames) >= frames - 100).astype(float)[:, None]
    return folder


def _write_pictures(path: Path, variable: str, frames: int) -> None:
    video, masks = pictures(frames)
    with h5py.File(path, "w") as file:
        # MATLAB's axes come in reverse: (H, W, 3, T) there is (T, 3, W, H) in HDF5.
        file.create_dataset(variable, data=video.transpose(0, 3, 2, 1), chunks=(16, 3, 64, 64))
        file.create_dataset("label", data=masks.transpose(0, 2, 1), compression="gzip")


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
