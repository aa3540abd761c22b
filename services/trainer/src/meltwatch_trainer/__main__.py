"""The trainer's command line: ``meltwatch-trainer train | export | verify | gallery | all``."""

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
from meltwatch_trainer.dataset import cached_windows
from meltwatch_trainer.domain.availability import AVAILABILITY
from meltwatch_trainer.domain.windows import CALIBRATION, TRAINING, VALIDATION
from meltwatch_trainer.errors import TrainerError
from meltwatch_trainer.evaluation import evaluate
from meltwatch_trainer.member_processes import train_members
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
Seeds = Annotated[int, typer.Option(help="Demo seeds and held-out furnaces to judge.")]

DEFAULT_REPOSITORY = Path("triton_models/repository")
DEFAULT_REFERENCE = Path("tests/contract/models/reference.npz")
HELD_OUT_SEED = 500_000
"""First seed of the judged runs: far from the training seeds that anybody would name."""
LONG_RUN_MINUTES = 12.0


@app.command("train")
def train(
    work: Work,
    repository: Repository = DEFAULT_REPOSITORY,
    reference: Reference = DEFAULT_REFERENCE,
    seed: Seed = 1,
) -> None:
    """Simulate the windows and train the members; goes on where a killed run stopped."""
    settings = Settings(work, repository, reference, seed)
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
) -> None:
    """Calibrate the trained members and write the model repository."""
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
    train(work, repository, reference, seed)
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
