import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from meltwatch_trainer.benchmark.files import open_benchmark, split_windows
from meltwatch_trainer.benchmark.windows import ClipSpec, LoaderRule, look_back
from meltwatch_trainer.errors import BenchmarkError

from tests.support import fmf_files

PUBLISHED = ClipSpec(stride=2, rule=LoaderRule.PUBLISHED)
CAUSAL = ClipSpec(stride=2)
NEVER: Any = None


@pytest.fixture(params=["first", "second"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    if request.param == "first":
        return fmf_files.write_first_layout(tmp_path)
    splits = {"train": range(150), "test": range(150, 250)}
    return fmf_files.write_second_layout(tmp_path, splits=splits)


def test_a_clip_ends_with_the_judged_frame_and_holds_the_first_before_it() -> None:
    assert ClipSpec().clip(200).tolist() == [38, 56, 74, 92, 110, 128, 146, 164, 182, 200]
    assert ClipSpec().clip(40).tolist() == [0, 0, 0, 0, 0, 0, 0, 4, 22, 40]


def test_a_full_look_back_is_the_last_240_samples() -> None:
    samples = np.arange(900, dtype=np.float32).reshape(300, 3)

    assert np.array_equal(look_back(samples, 299), samples[60:])
    assert np.array_equal(look_back(samples, 239), samples[:240])


def test_a_short_look_back_is_stretched_by_repetition() -> None:
    samples = np.arange(9, dtype=np.float32).reshape(3, 3)
    stretched = look_back(samples, 2)[:, 0]

    # floor(linspace(0, 2, 240)): 0 below 1, 1 below 2, 2 at the end alone.
    assert stretched.tolist() == [0.0] * 120 + [3.0] * 119 + [6.0]
    assert look_back(samples, 0)[:, 0].tolist() == [0.0] * 240


def test_the_causal_rule_judges_the_frames_of_the_split_themselves() -> None:
    split = np.array([3, 0, 99])

    assert CAUSAL.judged(split, NEVER).tolist() == [3, 0, 99]


def test_the_published_rule_replaces_early_frames_by_random_ones_of_the_splits_length() -> None:
    split = np.arange(10, 60)
    judged = PUBLISHED.judged(split, random.Random(0).randint)
    expected = random.Random(0)

    assert judged[:9].tolist() == [expected.randint(19, 49) for _ in range(9)]
    assert judged[9:].tolist() == list(range(19, 60))


def test_a_split_too_short_for_the_published_rule_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="a split of more than 19 frames, got 5"):
        PUBLISHED.judged(np.arange(5), NEVER)


def test_windows_come_upright_with_the_mask_of_their_last_frame(folder: Path) -> None:
    video, masks = fmf_files.pictures(250)
    with open_benchmark(folder) as recordings:
        windows = split_windows(recordings, "train", CAUSAL)
        batch = windows.read(np.array([95, 70]))

    assert len(windows) == 150
    assert np.array_equal(batch.clips[0], video[77:97:2])
    assert np.array_equal(batch.masks, masks[[95, 70]] > 0)
    assert batch.labels.tolist() == [False, True]


def test_no_causal_sample_is_later_than_the_judged_frame(folder: Path) -> None:
    with open_benchmark(folder) as (recording,):
        windows = split_windows([recording], "test", CAUSAL)
        batch = windows.read(np.arange(100))
        last = batch.currents[:, -1, 0] - 6000
        known = recording.currents.times_ns[last.astype(int)]
        frames_ns = recording.frame_times_ns[windows.places[:, 1]]

    assert (known <= frames_ns).all()
    assert (frames_ns - known < 520_000_000).all()


def test_published_currents_end_with_both_samples_of_the_frames_second(folder: Path) -> None:
    with open_benchmark(folder) as recordings:
        windows = split_windows(recordings, "test", PUBLISHED)
        batch = windows.read(np.arange(40, 100))

    last = batch.currents[:, -1, 0] - 6000
    assert last.tolist() == [2 * (frame // 25) + 1 for frame in range(190, 250)]


def test_batches_are_all_windows_once_in_order(folder: Path) -> None:
    with open_benchmark(folder) as recordings:
        windows = split_windows(recordings, "test", CAUSAL)
        newest = np.concatenate([batch.clips[:, -1, 0, 0, 2] for batch in windows.batches(32)])

    assert newest.tolist() == list(range(150, 250))


def test_windows_of_several_recordings_follow_each_other(tmp_path: Path) -> None:
    for name in ("b", "a"):
        fmf_files.write_second_layout(tmp_path, name, frames=30, splits={"test": [29, 7]})

    with open_benchmark(tmp_path) as recordings:
        windows = split_windows(recordings, "test", CAUSAL)

    assert windows.places.tolist() == [[0, 29], [0, 7], [1, 29], [1, 7]]


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    fmf_files.write_second_layout(tmp_path, splits={"test": []})

    said = "expected frames in the test split, got 0"

    with open_benchmark(tmp_path) as recordings, pytest.raises(BenchmarkError, match=said):
        split_windows(recordings, "test", CAUSAL)


def test_a_fault_of_the_files_is_an_error_of_the_trainer(tmp_path: Path) -> None:
    fmf_files.write_second_layout(tmp_path)

    said = "expected its test split"

    with pytest.raises(BenchmarkError, match=said), open_benchmark(tmp_path) as recordings:
        split_windows(recordings, "test", CAUSAL)
