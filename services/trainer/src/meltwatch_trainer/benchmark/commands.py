"""What the command line does with recordings of the FMF-Benchmark: judge weights, and train."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import isnan
from pathlib import Path

import safetensors.torch
import torch
from rich.console import Console, Group
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from meltwatch_trainer.benchmark.evaluation import BenchmarkResult, evaluate_benchmark
from meltwatch_trainer.benchmark.files import open_benchmark, split_windows
from meltwatch_trainer.benchmark.plan import PRESETS, UNKNOWN, BenchmarkPlan, paper_numbers
from meltwatch_trainer.benchmark.training import BenchmarkTraining
from meltwatch_trainer.benchmark.windows import ClipSpec
from meltwatch_trainer.errors import BenchmarkError
from meltwatch_trainer.network.published.fmformer import build_fmformer
from meltwatch_trainer.network.published.spec import FmFormerSpec
from meltwatch_trainer.network.published.weights import load_fmformer

CAUTION = (
    "Every published recording is in both splits: these figures tell how well furnaces that were "
    "learned from are judged, not other ones."
)


@dataclass(frozen=True, slots=True)
class BenchmarkRun:
    """What a command works on.

    Attributes
    ----------
    data
        Folder of the recordings.
    clip
        How windows are read; the number of frames follows the network.
    device
        Where to compute.
    """

    data: Path
    clip: ClipSpec = field(default_factory=ClipSpec)
    device: torch.device = field(
        default_factory=lambda: torch.device("cuda" if torch.cuda.is_available() else "cpu")
    )


def judge_published(
    run: BenchmarkRun, weights: Path, split: str, every: int, console: Console
) -> Group:
    """Return weights' figures on a split beside the paper's, to be printed.

    Parameters
    ----------
    run
        What to work on.
    weights
        File of the published keys.
    split
        ``train`` or ``test``.
    every
        1 judges all windows, 10 each tenth.
    console
        Where progress is shown.

    Raises
    ------
    TrainerError
        If files are not of their form.
    """
    network = load_fmformer(weights)
    clip = replace(run.clip, frames=network.spec.frames)
    with open_benchmark(run.data) as recordings:
        windows = split_windows(recordings, split, clip)
        windows = replace(windows, places=windows.places[::every])
        with _progress(console) as progress:
            task = progress.add_task("judging windows")
            result = evaluate_benchmark(
                network,
                windows,
                run.device,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
    share = result.abnormal / result.windows
    heading = f"{split} split, {clip.rule}: {result.windows} windows, {share:.1%} abnormal"
    return Group(heading, figures_table(result, network.spec), CAUTION)


def train_published(
    run: BenchmarkRun, preset: str, seed: int, work: Path, console: Console
) -> Path:
    """Train a preset as published and return the file of its weights, safetensors.

    Goes on where a killed run stopped.

    Parameters
    ----------
    run
        What to work on.
    preset
        Name in ``PRESETS``.
    seed
        Of the weights, the order and the flips.
    work
        Folder of checkpoint and weights.
    console
        Where progress is shown.

    Raises
    ------
    TrainerError
        If files are not of their form, the preset is unknown, or the checkpoint is another run's.
    """
    if preset not in PRESETS:
        raise BenchmarkError(f"--preset: expected one of {', '.join(PRESETS)}, got {preset!r}")
    torch.manual_seed(seed)
    network = build_fmformer(PRESETS[preset])
    with open_benchmark(run.data) as recordings, _progress(console) as progress:
        clip = replace(run.clip, frames=network.spec.frames)
        windows = split_windows(recordings, "train", clip, seed)
        plan = BenchmarkPlan()
        checkpoint = work / f"{preset}.checkpoint"
        training = BenchmarkTraining(network, windows, plan, seed, checkpoint, run.device)
        task = progress.add_task(preset)
        training.train_network(_shown_on(progress, task, plan.steps_per_epoch(len(windows))))
    path = work / f"{preset}.safetensors"
    weights = {key: value.cpu().contiguous() for key, value in network.state_dict().items()}
    safetensors.torch.save_file(weights, path)
    return path


def figures_table(result: BenchmarkResult, spec: FmFormerSpec) -> Table:
    """Return a row for each metric: ours, and the paper's where it is known for this variant."""
    table = Table("metric", "here", "paper")
    published = paper_numbers(spec)
    for metric, value in result.figures().items():
        shown = "undefined" if isnan(value) else f"{value:.4f}"
        table.add_row(metric, shown, published.get(metric, UNKNOWN))
    return table


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate:.1f}/s")


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        yield progress


def _shown_on(
    progress: Progress, task: TaskID, steps_per_epoch: int
) -> Callable[[int, int, float], None]:
    name = progress.tasks[task].description

    def show(done: int, steps: int, loss: float) -> None:
        epoch = (done - 1) // steps_per_epoch + 1
        description = f"{name}, epoch {epoch} of {steps // steps_per_epoch}, loss {loss:.4f}"
        progress.update(task, completed=done, total=steps, description=description)

    return show
