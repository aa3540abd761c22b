"""Where the trainer works, from which seed, and on how much."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator import SIMULATOR_REVISION

from meltwatch_trainer.data.run_sets import RUN_SETS, RunSet
from meltwatch_trainer.data.windows import TRAINING, Split
from meltwatch_trainer.train.study import STUDY, StudyModel

EVERY: Final = 7
"""Runs are scored at a hop of 10 s, through each 7th window: all would take two cores a day."""


def default_work_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/meltwatch/trainer``, or the same below ``~/.cache``."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "meltwatch" / "trainer"


def processors() -> int:
    """Return how many processors this machine has."""
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Settings:
    """One study: what it is made from and where it lies.

    Parameters
    ----------
    root
        Folder of everything that is made on the way: some gigabytes at full scale.
    seed
        Seed of the simulated furnaces.
    scale
        0..1: share of the furnaces and of the training; below 1 it is a trial.
    every
        Runs are scored through each n-th window.
    workers
        Processes that simulate.
    repeat
        0 is the study; a higher number trains all once more, with other random numbers.
    """

    root: Path
    seed: int = 1
    scale: float = 1.0
    every: int = EVERY
    workers: int = field(default_factory=processors)
    repeat: int = 0

    @property
    def is_trial(self) -> bool:
        """Whether this is less than the study."""
        return self.scale < 1

    @property
    def work(self) -> Path:
        """Where this study lies: a trial beside the whole, not in it."""
        return self.root / f"trial-{self.scale:g}" if self.is_trial else self.root

    @property
    def study(self) -> tuple[StudyModel, ...]:
        """The models to train."""
        return tuple(model.repeated(self.repeat) for model in STUDY)

    @property
    def training(self) -> Split:
        """The windows that are learned from."""
        return TRAINING.scaled(self.scale)

    @property
    def run_sets(self) -> tuple[RunSet, ...]:
        """The sets of runs, in the order in which they are scored."""
        return tuple(runs.scaled(self.scale) for runs in RUN_SETS.values())

    @property
    def models(self) -> Path:
        """Folder of finished weights and checkpoints: of another plan, another folder."""
        plan = (self.study, self.training, self.seed, PUBLISHED_SPEC.spec_id, SIMULATOR_REVISION)
        return self.work / f"models-{hashlib.sha256(repr(plan).encode()).hexdigest()[:12]}"

    @property
    def scores(self) -> Path:
        """Folder of scores; a repetition's beside the study's."""
        return self.work / (f"scores-repeat-{self.repeat}" if self.repeat else "scores")
