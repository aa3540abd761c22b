"""Each recording scored by members that have not learned from it, resumable."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from meltwatch_trainer.data.process_pool import in_processes
from meltwatch_trainer.fit.plan import FitPlan
from meltwatch_trainer.judge.score_sets import joined, run_scores
from meltwatch_trainer.judge.scores import Scores
from meltwatch_trainer.judge.scores_file import read_scores, write_scores
from meltwatch_trainer.judge.study_rows import name_before
from meltwatch_trainer.train.study import StudyModel
from meltwatch_trainer.train.study_training import keep_freed_memory
from meltwatch_trainer.train.trained import TrainedModel, begun_model, trained_model

Progress = Callable[[int, int], None]


def score_left_out(
    plan: FitPlan, every: int, device: torch.device, workers: int, progress: Progress
) -> list[Scores]:
    """Return the scores of each recording; those that are there are not made again.

    Parameters
    ----------
    every
        Runs are scored through each n-th window.
    workers
        Processes on CPUs; a GPU is asked by this one.
    """
    group_of = {number: i for i, group in enumerate(plan.groups) for number in group}
    todo = [
        _Task(plan, number, plan.models_without(group_of[number]), every, str(device))
        for number in range(len(plan.recordings))
    ]
    missing = [task for task in todo if not task.path.exists()]
    done = len(todo) - len(missing)
    progress(done, len(todo))
    processes = 1 if device.type != "cpu" else max(1, min(workers, len(missing)))
    score = partial(_score, alone=processes > 1)
    for _ in in_processes(score, missing, processes):
        done += 1
        progress(done, len(todo))
    return [read_scores(task.path) for task in todo]


@dataclass(frozen=True, slots=True)
class _Task:
    """One recording to score."""

    plan: FitPlan
    number: int
    models: Path
    every: int
    device: str

    @property
    def path(self) -> Path:
        """File of the scores: other weights, another file."""
        told = hashlib.sha256(str(self.every).encode())
        for model in self.plan.models:
            told.update((self.models / f"{model.name}.pt").read_bytes())
        return self.plan.folder / "scores" / f"{self.number:04d}-{told.hexdigest()[:12]}.npz"


def _score(task: _Task, *, alone: bool) -> None:
    if alone:
        keep_freed_memory()
        torch.set_num_threads(1)
    device = torch.device(task.device)
    models = [trained_model(task.models, model) for model in task.plan.models]
    models += [_before(model) for model in task.plan.before]
    for model in models:
        model.network.to(device)
    hop_s = task.every * PUBLISHED_SPEC.hop_ns / NS_PER_S
    runs = task.plan.recordings[task.number].runs(task.every)
    write_scores(task.path, joined([run_scores(run, hop_s, models, device) for run in runs]))


def _before(model: StudyModel) -> TrainedModel:
    return replace(begun_model(model), name=name_before(model.name), states=("both",))


def members_of_all(plan: FitPlan) -> Sequence[TrainedModel]:
    """Return the members that have learned from every recording."""
    return [trained_model(plan.models_of_all, model) for model in plan.models]
