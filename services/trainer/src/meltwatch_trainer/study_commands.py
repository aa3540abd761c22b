"""The steps that make weights and scores, with their progress; each goes on where it stopped."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
import typer
from rich.console import Console

from meltwatch_trainer.data.dataset import simulate, training_windows
from meltwatch_trainer.judge.score_sets import score_set
from meltwatch_trainer.settings import Settings
from meltwatch_trainer.train.devices import described
from meltwatch_trainer.train.outlook import outlook
from meltwatch_trainer.train.progress import shown_steps, shown_trainings
from meltwatch_trainer.train.study import StudyModel
from meltwatch_trainer.train.study_training import train_study
from meltwatch_trainer.train.trained import weights_path


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
        typer.echo(outlook(self.settings, self.unfinished(), device.type, described(device)))

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
            train_study(scaled, windows, settings.models, self.device, workers, show)

    def score(self, names: Sequence[str]) -> None:
        """Score sets of runs with every finished model."""
        for runs in self.settings.run_sets:
            if runs.name in names:
                with shown_steps(f"furnaces of {runs.name}", self.console) as show:
                    path = score_set(self.settings, runs, self.device, show)
                typer.echo(f"wrote {path}")
