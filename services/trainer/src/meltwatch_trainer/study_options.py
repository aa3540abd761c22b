"""The options that all steps of the study share, stated once."""

from collections.abc import Callable
from functools import wraps
from inspect import Signature, signature
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from meltwatch_trainer.settings import EVERY, Settings, default_work_folder, processors
from meltwatch_trainer.study_commands import Study
from meltwatch_trainer.train.devices import DeviceName, chosen_device

SIDE_BY_SIDE_ON_GPU: Final = 5
"""Networks this small leave a GPU idle between their steps; other trainings fill the gaps. The
windows of five fit into 80 GB; where they do not fit, they are read from disk."""

StudyFunction = Callable[..., None]
"""Takes a study, then options of its own."""


def open_study(
    work: Annotated[
        Path,
        typer.Option(
            default_factory=default_work_folder,
            help="Folder of windows, weights and scores: some gigabytes.",
        ),
    ],
    seed: Annotated[int, typer.Option(help="Seed of the simulated furnaces.")] = 1,
    scale: Annotated[
        float,
        typer.Option(
            min=1e-4, max=1.0, help="Share of furnaces and training; below 1 it is a trial."
        ),
    ] = 1.0,
    every: Annotated[int, typer.Option(min=1, help="Score each n-th window alone.")] = EVERY,
    device: Annotated[DeviceName, typer.Option(help="Where networks compute.")] = DeviceName.AUTO,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes side by side; by default one a processor; five train on a GPU.",
        ),
    ] = None,
) -> Study:
    """Return the study that the options ask for."""
    chosen = chosen_device(device)
    return Study(
        settings=Settings(work, seed, scale, every, workers or processors()),
        device=chosen,
        trainings=workers or (SIDE_BY_SIDE_ON_GPU if chosen.type == "cuda" else processors()),
        console=Console(stderr=True),
    )


def study_command(app: typer.Typer, name: str) -> Callable[[StudyFunction], StudyFunction]:
    """Register a function as a command whose options are its own and those of ``open_study``."""
    shared = signature(open_study).parameters

    def register(function: StudyFunction) -> StudyFunction:
        own = dict(list(signature(function).parameters.items())[1:])

        @wraps(function)
        def command(**given: Any) -> None:
            study = open_study(**{option: given.pop(option) for option in shared})
            function(study, **given)

        options = [*shared.values(), *own.values()]
        command.__annotations__ = {option.name: option.annotation for option in options}
        command.__signature__ = Signature(options)  # type: ignore[attr-defined]  # read by typer
        app.command(name)(command)
        return function

    return register
