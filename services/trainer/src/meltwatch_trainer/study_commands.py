"""Steps that make weights and scores, and the options they share; each goes on where it stopped."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import torch
from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.terminal import print_line
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from rich.console import Console

from meltwatch_trainer.data.dataset import simulate, training_windows
from meltwatch_trainer.errors import DeviceError
from meltwatch_trainer.judge.score_sets import score_set
from meltwatch_trainer.settings import EVERY, Settings, default_work_folder, processors
from meltwatch_trainer.train.progress import shown_steps, shown_trainings
from meltwatch_trainer.train.study import STUDY, StudyModel
from meltwatch_trainer.train.study_training import TrainingJob, train_study
from meltwatch_trainer.train.trained import weights_path

# Processor seconds, seen on a machine of two cores: for a window to learn from, and to simulate,
# to learn or to answer it with all models of the study.
SIMULATED_S: Final = 0.01
LEARNT_S: Final = 0.15
ANSWERED_S: Final = 0.1
SIDE_BY_SIDE_ON_GPU: Final = 5
"""Networks this small leave a GPU idle between their steps; other trainings fill the gaps. The
windows of five fit into 80 GB; where they do not fit, they are read from disk."""


class DeviceName(StrEnum):
    """What a user may ask for."""

    AUTO = "auto"
    CUDA = "cuda"
    CPU = "cpu"


def chosen_device(name: DeviceName) -> torch.device:
    """Return the device: of ``auto`` a GPU if there is one.

    Raises
    ------
    DeviceError
        If there is no GPU but one is asked for.
    """
    if torch.cuda.is_available() and name is not DeviceName.CPU:
        return torch.device("cuda")
    if name is DeviceName.CUDA:
        raise DeviceError("expected a CUDA GPU, PyTorch finds none; use --device cpu or auto")
    return torch.device("cpu")


def described(device: torch.device) -> str:
    """Return what people call a device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


@dataclass(frozen=True, slots=True)
class Study:
    """The study on one machine.

    Parameters
    ----------
    settings
        What it is made from and where it lies.
    device
        Where networks compute.
    trainings
        Models that learn side by side.
    console
        Where progress is shown.
    """

    settings: Settings
    device: torch.device
    trainings: int
    console: Console

    def repeated(self, number: int) -> "Study":
        """Return the same study, trained with other random numbers; with 0 it is the same."""
        return replace(self, settings=replace(self.settings, repeat=number))

    def announce(self) -> None:
        """Say what is left to do, on what, and for roughly how long."""
        device = self.device
        print_line(outlook(self.settings, self.unfinished(), device.type, described(device)))

    def simulate(self) -> None:
        """Make the windows to learn from."""
        settings = self.settings
        with shown_steps("furnaces to learn from", self.console) as show:
            simulate(settings.work, settings.seed, settings.training, settings.workers, show)

    def unfinished(self) -> list[StudyModel]:
        """Return the models without finished weights."""
        models = self.settings.models
        return [
            model for model in self.settings.study if not weights_path(models, model.name).exists()
        ]

    def train(self, models: Sequence[StudyModel]) -> None:
        """Train models to their end."""
        settings = self.settings
        windows = partial(training_windows, settings.work, settings.seed, settings.training)
        scaled = [model.scaled(settings.scale) for model in models]
        workers = max(1, min(self.trainings, len(models)))
        with shown_trainings(self.console) as show:
            jobs = [TrainingJob(model, windows, settings.models) for model in scaled]
            train_study(jobs, self.device, workers, show)

    def score_runs(self, names: Sequence[str]) -> None:
        """Score sets of runs with every finished model."""
        for runs in self.settings.run_sets:
            if runs.name in names:
                with shown_steps(f"furnaces of {runs.name}", self.console) as show:
                    path = score_set(self.settings, runs, self.device, show)
                print_line(f"wrote {path}")


def estimated_hours(settings: Settings, unfinished: Sequence[StudyModel]) -> float:
    """Return the hours that simulating, training and scoring may take on CPUs.

    Parameters
    ----------
    unfinished
        Models to train; without any, nothing is simulated to learn from.
    """
    seen = sum(model.scaled(settings.scale).plan.windows_seen for model in unfinished) / len(STUDY)
    simulated = settings.training.size if unfinished else 0
    hop_s = settings.every * PUBLISHED_SPEC.hop_ns / NS_PER_S
    windows = sum(runs.furnaces * runs.duration_s / hop_s for runs in settings.run_sets)
    work_s = simulated * SIMULATED_S + seen * LEARNT_S + windows * ANSWERED_S
    return work_s / settings.workers / 3600


def outlook(settings: Settings, unfinished: Sequence[StudyModel], device: str, name: str) -> str:
    """Return one line for people: what is left to do, on what, and for roughly how long."""
    left = f"{len(unfinished)} models to train, then to score and to judge"
    if device == "cuda":
        return f"{left}: on {name}; an H100 with 16 processors took 7 minutes"
    return f"{left}: roughly {estimated_hours(settings, unfinished):.1f} hours without a GPU"


@Parameter(name="*")
@dataclass(frozen=True)
class StudyOptions:
    """The options of every step."""

    work: Annotated[
        Path | None,
        Parameter(
            help="Folder of windows, weights and scores: some gigabytes; "
            "by default ~/.cache/meltwatch/trainer."
        ),
    ] = None
    seed: Annotated[int, Parameter(help="Seed of the simulated furnaces.")] = 1
    scale: Annotated[
        float,
        Parameter(
            validator=Number(gte=1e-4, lte=1.0),
            help="Share of furnaces and training; below 1 it is a trial.",
        ),
    ] = 1.0
    every: Annotated[
        int, Parameter(validator=Number(gte=1), help="Score each n-th window alone.")
    ] = EVERY
    device: Annotated[DeviceName, Parameter(help="Where networks compute.")] = DeviceName.AUTO
    workers: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=1),
            help="Processes side by side; by default one a processor; five train on a GPU.",
        ),
    ] = None

    def study(self) -> Study:
        """Return the study that the options ask for."""
        chosen = chosen_device(self.device)
        work = self.work or default_work_folder()
        return Study(
            settings=Settings(
                work, self.seed, self.scale, self.every, self.workers or processors()
            ),
            device=chosen,
            trainings=self.workers
            or (SIDE_BY_SIDE_ON_GPU if chosen.type == "cuda" else processors()),
            console=Console(stderr=True),
        )
