from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from meltwatch_trainer.__main__ import app
from meltwatch_trainer.benchmark.commands import figures_table
from meltwatch_trainer.benchmark.evaluation import (
    BenchmarkResult,
    Confusion,
    evaluate_benchmark,
    tensors,
)
from meltwatch_trainer.benchmark.files import (
    BenchmarkBatch,
    BenchmarkWindows,
    open_benchmark,
)
from meltwatch_trainer.benchmark.plan import PRESETS, BenchmarkPlan
from meltwatch_trainer.benchmark.training import BenchmarkTraining, flip
from meltwatch_trainer.benchmark.windows import ClipSpec, LoaderRule
from meltwatch_trainer.errors import BenchmarkError, CacheMismatchError
from meltwatch_trainer.network.published.fmformer import FmFormerOutput, build_fmformer
from meltwatch_trainer.network.published.spec import FMFORMER_B
from rich.console import Console

from tests.support import fmf_files

CPU = torch.device("cpu")
TINY = PRESETS["fmformer-tiny"]
SHORT = BenchmarkPlan(epochs=2, batch=16, rate=3e-3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    splits = {"train": range(50, 60), "test": [60, 61, 62, 75, 76, 77, 90, 91, 92]}
    return fmf_files.write_second_layout(data, frames=125, splits=splits)


@pytest.fixture
def windows(folder: Path) -> Iterator[BenchmarkWindows]:
    with open_benchmark(folder) as recordings:
        spec = ClipSpec(stride=2)
        places = np.array([[0, frame] for frame in range(40, 110, 2)])
        yield BenchmarkWindows(recordings, spec, places)


class Oracle(torch.nn.Module):
    """Sees the frame's number in the blue channel; finds the mask of frames 60..79 alone."""

    def forward(self, clip: Any, current: Any) -> FmFormerOutput:
        number = clip[:, 2, -1, 0, 0]
        hot = (number >= 60) & (number < 80)
        maps = torch.zeros(len(clip), 2, 64, 64)
        maps[hot, 1, fmf_files.HOT_COLUMNS, fmf_files.HOT_ROWS] = 1
        return FmFormerOutput(torch.stack([~hot, hot], dim=1).float(), None, maps - 0.5)


def test_clips_are_laid_on_their_side_as_the_published_networks_learned(
    windows: BenchmarkWindows,
) -> None:
    clip, current = tensors(windows.read(np.arange(3)), CPU)

    assert clip.shape == (3, 3, 10, 64, 64)
    assert clip.dtype == current.dtype == torch.float32
    # Red is the column, and the column comes first now.
    assert clip[0, 0, 0, :, 5].tolist() == list(range(64))
    assert clip[0, 1, 0, 5, :].tolist() == list(range(64))


def test_an_evaluation_counts_windows_and_pixels_by_hand(windows: BenchmarkWindows) -> None:
    shown: list[tuple[int, int]] = []
    result = evaluate_benchmark(
        Oracle(),  # type: ignore[arg-type] # a network by what it does
        windows,
        CPU,
        lambda done, total: shown.append((done, total)),
    )

    # Of 35 even frames 40..108, 60..88 are abnormal: 15; the oracle knows 60..78: 10.
    assert result.classes == Confusion(hits=10, misses=5, rejections=20)
    assert result.pixels == Confusion(
        hits=10 * 40, misses=5 * 40, rejections=35 * 64 * 64 - 15 * 40
    )
    assert (result.windows, result.abnormal) == (35, 15)
    assert shown == [(35, 35)]


def test_a_head_that_is_not_there_has_no_figures() -> None:
    result = BenchmarkResult(3, 1, classes=None, pixels=Confusion(hits=1))

    assert list(result.figures()) == ["mIoU"]


def test_the_table_puts_the_papers_figures_beside_ours() -> None:
    result = BenchmarkResult(10, 0, Confusion(rejections=9, false_alarms=1), Confusion(hits=1))
    console = Console(record=True, width=100)
    console.print(figures_table(result, FMFORMER_B))
    rows = [line.split() for line in console.export_text().replace("│", " ").splitlines()]
    shown = {row[0]: row[1:] for row in rows if len(row) == 3}

    assert shown["accuracy"] == ["0.9000", "0.9837"]
    assert shown["FDR"] == ["0.1000", "unknown"]
    assert shown["MDR"] == ["undefined", "unknown"]
    assert shown["mIoU"][1] == "~0.8409"


def test_a_flip_mirrors_columns_and_the_published_one_rows() -> None:
    clips = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 1, 3, 4, 1)
    masks = clips[:, 0, :, :, 0] > 5
    batch = BenchmarkBatch(clips, np.zeros((2, 240, 3), np.float32), masks)
    first = np.array([True, False])

    across = flip(batch, first, LoaderRule.CAUSAL)
    over = flip(batch, first, LoaderRule.PUBLISHED)

    assert np.array_equal(across.clips[0], clips[0][:, :, ::-1])
    assert np.array_equal(across.masks[0], masks[0][:, ::-1])
    assert np.array_equal(over.clips[0], clips[0][:, ::-1])
    assert np.array_equal(over.masks[0], masks[0][::-1])
    for flipped in (across, over):
        assert np.array_equal(flipped.clips[1], clips[1])
        assert np.array_equal(flipped.masks[1], masks[1])


def training(windows: BenchmarkWindows, checkpoint: Path, seed: int = 1) -> BenchmarkTraining:
    torch.manual_seed(0)
    return BenchmarkTraining(build_fmformer(TINY), windows, SHORT, seed, checkpoint, CPU)


def test_training_learns_and_sees_every_window_once_an_epoch(
    windows: BenchmarkWindows, tmp_path: Path
) -> None:
    steps: list[tuple[int, int, float]] = []
    training(windows, tmp_path / "run").train_network(lambda *step: steps.append(step))

    assert [(done, total) for done, total, _ in steps] == [(n + 1, 6) for n in range(6)]
    assert steps[-1][2] < steps[0][2]


def test_a_killed_training_ends_as_if_it_had_not_been(
    windows: BenchmarkWindows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meltwatch_trainer.benchmark.training.CHECKPOINT_EVERY", 2)
    whole = training(windows, tmp_path / "whole")
    whole.train_network(lambda *_: None)

    def kill(done: int, steps: int, loss: float) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training(windows, tmp_path / "killed").train_network(kill)
    resumed = training(windows, tmp_path / "killed")
    done: list[int] = []
    resumed.train_network(lambda step, *_: done.append(step))

    assert done == [5, 6]
    for one, other in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_another_runs_checkpoint_is_refused(windows: BenchmarkWindows, tmp_path: Path) -> None:
    training(windows, tmp_path / "run").train_network(lambda *_: None)

    with pytest.raises(CacheMismatchError, match="delete it or name another folder"):
        training(windows, tmp_path / "run", seed=2).train_network(lambda *_: None)


def test_a_loss_that_is_no_number_ends_the_training(
    windows: BenchmarkWindows, tmp_path: Path
) -> None:
    run = training(windows, tmp_path / "run")
    with torch.no_grad():
        next(run.network.parameters()).fill_(float("nan"))

    with pytest.raises(BenchmarkError, match="expected a finite loss, got nan"):
        run.train_network(lambda *_: None)


def test_the_rate_falls_after_twenty_epochs_as_published() -> None:
    plan = BenchmarkPlan()

    assert [plan.rate_in(epoch) for epoch in (0, 19, 20, 29)] == pytest.approx(
        [5e-4, 5e-4, 5e-5, 5e-5]
    )
    assert plan.steps_per_epoch(214_921) == 3359


def test_trained_weights_are_judged_by_two_commands(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        "meltwatch_trainer.benchmark.commands.BenchmarkPlan", lambda: BenchmarkPlan(epochs=1)
    )
    given = ["--data", str(folder)]
    invoke("train", *given, "--preset", "fmformer-tiny", "--work", str(tmp_path))
    trained = capsys.readouterr().out
    weights = str(tmp_path / "fmformer-tiny.safetensors")
    invoke("evaluate", *given, "--weights", weights, "--every", "3")
    judged = capsys.readouterr().out

    assert f"wrote {weights}" in trained
    assert "3 windows, 66.7% abnormal" in judged
    for metric in ("accuracy", "F1", "FDR", "MDR", "mIoU"):
        assert metric in judged


def invoke(*arguments: str) -> None:
    app(arguments, result_action="return_value")


def test_an_unknown_preset_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="expected one of fmformer-tiny"):
        invoke("train", "--data", str(folder), "--preset", "huge", "--work", str(tmp_path))
