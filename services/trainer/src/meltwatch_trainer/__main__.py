"""The trainer's command line; ``meltwatch-trainer --help`` lists its commands."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from meltwatch_trainer.acceptance import DEFAULT_SETPOINT, demo_runs, long_runs, verdict
from meltwatch_trainer.adapters.gallery import draw_gallery
from meltwatch_trainer.adapters.served_ensemble import ServedEnsemble
from meltwatch_trainer.benchmark_commands import BenchmarkRun, judge, train_published
from meltwatch_trainer.dataset import cached_windows
from meltwatch_trainer.domain.availability import AVAILABILITY
from meltwatch_trainer.domain.benchmark_windows import ClipSpec, LoaderRule
from meltwatch_trainer.domain.windows import CALIBRATION, TRAINING, VALIDATION
from meltwatch_trainer.errors import TrainerError
from meltwatch_trainer.evaluation import evaluate
from meltwatch_trainer.member_processes import train_members
from meltwatch_trainer.parity import TOLERANCE, measure_file
from meltwatch_trainer.published_export import export_weights
from meltwatch_trainer.release import LETTERS, export, verify_files
from meltwatch_trainer.settings import Settings, default_work_folder

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Train Meltwatch's models.")
console = Console(stderr=True)

Work = Annotated[
    Path,
    typer.Option(
        default_factory=default_work_folder,
        help="Folder of the window cache and checkpoints, about 3 GB.",
    ),
]
Repository = Annotated[Path, typer.Option(help="Triton's model repository.")]
Reference = Annotated[Path, typer.Option(help="Frozen windows and answers.")]
Seed = Annotated[int, typer.Option(help="Seed of the furnaces that are learned from.")]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="File of published FmFormer weights (.safetensors, .pth), to export in place of the "
        "trained members."
    ),
]
Seeds = Annotated[int, typer.Option(help="Demo seeds and held-out furnaces to judge.")]

Loader = Annotated[
    LoaderRule, typer.Option(help="Windows of recordings: causal, or with the published quirks.")
]

DEFAULT_REPOSITORY = Path("triton_models/repository")
DEFAULT_REFERENCE = Path("tests/contract/models/reference.npz")
HELD_OUT_SEED = 500_000
"""First seed of the judged runs: far from the training seeds that anybody would name."""
LONG_RUN_MINUTES = 12.0


@app.command("train")
def train(
    work: Work,
    seed: Seed = 1,
    data: Annotated[
        Path | None,
        typer.Option(help="Recordings of the FMF-Benchmark, to learn from in place of simulation."),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="With --data: fmformer-b, -l, -s, -t or -tiny.")
    ] = "fmformer-b",
    loader: Loader = LoaderRule.CAUSAL,
) -> None:
    """Simulate the windows and train the members, or train the published network on --data.

    Goes on where a killed run stopped.
    """
    if data is not None:
        run = BenchmarkRun(data, ClipSpec(rule=loader))
        print(f"wrote {train_published(run, preset, seed, work, console)}")
        return
    settings = Settings(work, DEFAULT_REPOSITORY, DEFAULT_REFERENCE, seed)
    for split in (TRAINING, CALIBRATION):
        with _bar(f"windows for {split.name}") as show:
            cached_windows(work, seed, split, show)
    with _bars() as progress:
        tasks: dict[str, TaskID] = {}

        def show_member(name: str, done: int, steps: int, loss: float) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(f"member {name}", total=steps)
            description = f"member {name}, loss {loss:.3f}"
            progress.update(tasks[name], completed=done, description=description)

        train_members(settings, show_member)


@app.command("export")
def export_command(
    work: Work,
    repository: Repository = DEFAULT_REPOSITORY,
    reference: Reference = DEFAULT_REFERENCE,
    seed: Seed = 1,
    weights: Weights = None,
) -> None:
    """Calibrate the trained members and write the model repository, or write given weights."""
    if weights is not None:
        digest = export_weights(weights, repository)
    else:
        with _bar("windows for calibration") as show:
            digest = export(Settings(work, repository, reference, seed), show)
    print(f"wrote {repository}, digest {digest}")


@app.command("verify")
def verify(
    work: Work,
    repository: Repository = DEFAULT_REPOSITORY,
    reference: Reference = DEFAULT_REFERENCE,
    seed: Seed = 1,
    seeds: Seeds = 30,
) -> None:
    """Check files and answers, then judge windows, demo runs and hours; exit 1 if not good."""
    worst = verify_files(repository, reference)
    print(f"files match their digest; answers within {worst:.1g} of PyTorch's")
    ensemble = ServedEnsemble(repository, LETTERS)
    with _bar("windows for validation") as show:
        windows = cached_windows(work, seed, VALIDATION, show)
    for evaluation in evaluate(ensemble, windows, DEFAULT_SETPOINT.logit_on):
        print(f"windows, {evaluation.line()}")
    numbers = range(HELD_OUT_SEED, HELD_OUT_SEED + seeds)
    with _bar("demo runs") as show:
        demo = verdict(demo_runs(ensemble, numbers, ("both",), show), DEFAULT_SETPOINT)
    print(f"demo: {demo.line()}")
    with _bar("hours of operation") as show:
        runs = long_runs(ensemble, numbers, LONG_RUN_MINUTES, tuple(AVAILABILITY), show)
    for column, state in enumerate(AVAILABILITY):
        print(f"operation, {state}: {verdict(runs, DEFAULT_SETPOINT, column).line()}")
    if not (demo.accepted and verdict(runs, DEFAULT_SETPOINT).accepted):
        raise typer.Exit(1)


@app.command("parity")
def parity(file: Annotated[Path, typer.Argument(help="Golden outputs (.npz) with seeds.")]) -> None:
    """Hold the published network against golden outputs; exit 1 above the tolerance."""
    measured = measure_file(file)
    print(f"{'largest difference':20}{'PyTorch':>10}{'ONNX':>10}")
    faithful = True
    for row in measured:
        print(f"{row.output:20}{row.pytorch:10.1e}{row.onnx:10.1e}", flush=True)
        faithful &= row.holds
    if not faithful:
        print(f"not faithful: expected every difference within {TOLERANCE:g}", file=sys.stderr)
        raise typer.Exit(1)


@app.command("evaluate")
def evaluate_command(
    data: Annotated[Path, typer.Option(help="Recordings of the FMF-Benchmark.")],
    weights: Annotated[Path, typer.Option(help="Published FmFormer (.safetensors, .pth).")],
    split: Annotated[str, typer.Option(help="train or test.")] = "test",
    loader: Loader = LoaderRule.CAUSAL,
    stride: Annotated[int, typer.Option(min=1, help="Frames from one of a clip to the next.")] = 18,
    every: Annotated[int, typer.Option(min=1, help="Judge each n-th window alone.")] = 1,
) -> None:
    """Judge weights on recordings by the paper's metrics, beside the paper's figures."""
    run = BenchmarkRun(data, ClipSpec(stride=stride, rule=loader))
    Console().print(judge(run, weights, split, every, console))


@app.command("gallery")
def gallery(
    to: Annotated[Path, typer.Option(help="PNG file to write.")] = Path(
        "docs/images/simulator-gallery.png"
    ),
    seed: Seed = 7,
    furnaces: Annotated[int, typer.Option(help="Rows of the gallery.")] = 6,
) -> None:
    """Draw what the simulated furnaces look like."""
    draw_gallery(to, seed, furnaces)
    print(f"wrote {to}")


@app.command("all")
def everything(
    work: Work,
    repository: Repository = DEFAULT_REPOSITORY,
    reference: Reference = DEFAULT_REFERENCE,
    seed: Seed = 1,
) -> None:
    """Train, export and verify: from seeds to a proven repository."""
    train(work, seed)
    export_command(work, repository, reference, seed)
    verify(work, repository, reference, seed)


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console
    )


@contextmanager
def _bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show one line of progress; gives a function of steps done and steps in all."""
    with _bars() as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def main() -> None:
    """Run the command line; an expected error is one line and exit code 2."""
    try:
        app()
    except TrainerError as error:
        print(f"meltwatch-trainer: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
