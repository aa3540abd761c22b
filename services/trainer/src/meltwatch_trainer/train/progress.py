"""Progress of long work, for people."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from meltwatch_trainer.train.training import TrainingProgress


@contextmanager
def shown_steps(name: str, console: Console) -> Iterator[Callable[[int, int], None]]:
    """Show one line of progress; gives a function of steps done and steps in all."""
    with _bars(console) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def shown_trainings(console: Console) -> Iterator[Callable[[TrainingProgress], None]]:
    """Show a line of progress for each model that reports."""
    with _bars(console) as progress:
        tasks: dict[str, TaskID] = {}

        def show(report: TrainingProgress) -> None:
            if report.name not in tasks:
                tasks[report.name] = progress.add_task(report.name, total=report.total)
            progress.update(
                tasks[report.name],
                completed=report.seen,
                description=f"{report.name}, loss {report.loss:.3f}, "
                f"{report.windows_per_s:,.0f} windows/s",
            )

        yield show


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console
    )
