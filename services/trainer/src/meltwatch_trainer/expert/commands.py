"""The command that trains experts on currents and holds the ensemble with them against without."""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator import SIMULATOR_REVISION
from numpy.typing import NDArray

from meltwatch_trainer.data.current_runs import EXPERT_RUNS, CurrentWindows, set_currents
from meltwatch_trainer.data.run_sets import CALIBRATION, RUN_SETS, RunSet
from meltwatch_trainer.expert.options import ExpertOptions
from meltwatch_trainer.judge.expert_scores import MemberScoring, Said, beside_members, expert_says
from meltwatch_trainer.judge.expert_verdict import ExpertVerdict, judge_experts
from meltwatch_trainer.judge.judging import Terms
from meltwatch_trainer.judge.scores import Scores
from meltwatch_trainer.network.expert import Expert
from meltwatch_trainer.release.model_repository import check_repository
from meltwatch_trainer.release.served_weights import served_weights
from meltwatch_trainer.settings import EVERY, default_work_folder
from meltwatch_trainer.train.expert_training import (
    EXPERT_PLAN,
    plain_features,
    read_expert,
    train_expert,
    train_trees,
)
from meltwatch_trainer.train.study import SHIPPED, study_model
from meltwatch_trainer.train.study_training import keep_freed_memory
from meltwatch_trainer.train.trained import weights_path
from meltwatch_trainer.train.training import write_atomically

EXPERT: Final = "expert"
TREES: Final = "trees"
APART: Final = 1000
"""Between the seeds of two trainings."""
Shown = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Shows how much is done, under a title."""


@dataclass(frozen=True)
class ExpertStudy:
    """The study of experts on one machine; what was scored and trained is not done again.

    Parameters
    ----------
    options
        How much is asked for.
    repository
        Holds the members that the experts stand beside.
    shown
        Shows progress.
    """

    options: ExpertOptions
    repository: Path
    shown: Shown

    @property
    def folder(self) -> Path:
        """Folder of weights and scores."""
        return (self.options.work or default_work_folder()) / EXPERT

    def verdict(self) -> ExpertVerdict:
        """Train what is missing, score, and judge."""
        experts = self._experts()
        titles = {name: name.replace("-", " ") for name in experts}
        if self.options.trees:
            experts[TREES], titles[TREES] = self._trees(), TREES
        sets = {name: self._scored(runs, experts) for name, runs in RUN_SETS.items()}
        return judge_experts(sets.pop(CALIBRATION.name), sets, titles, Terms())

    @cached_property
    def _windows(self) -> CurrentWindows:
        return self._currents(self._to_learn_from)

    @property
    def _to_learn_from(self) -> RunSet:
        return replace(EXPERT_RUNS, furnaces=min(self.options.learned, EXPERT_RUNS.furnaces))

    def _currents(self, runs: RunSet) -> CurrentWindows:
        with self.shown(f"currents of {runs.name}") as show:
            return set_currents(self.options.seed, runs, EVERY, self.options.workers, show)

    def _experts(self) -> dict[str, Said]:
        torch.set_num_threads(self.options.workers)
        return {
            EXPERT if not number else f"{EXPERT}-{number + 1}": expert_says(
                read_expert(self._trained(number), own_scale=self.options.own_scale)
            )
            for number in range(self.options.trainings)
        }

    def _trained(self, number: int) -> Path:
        """Return the file of an expert's weights, trained if it is not there."""
        runs = self._to_learn_from
        plan = replace(EXPERT_PLAN, seed=EXPERT_PLAN.seed + APART * number)
        plan = plan.scaled(runs.furnaces / EXPERT_RUNS.furnaces)
        made_from = (
            plan,
            Expert(own_scale=self.options.own_scale),
            runs,
            self.options.seed,
            EVERY,
            PUBLISHED_SPEC.spec_id,
            SIMULATOR_REVISION,
        )
        digest = hashlib.sha256(repr(made_from).encode()).hexdigest()[:12]
        path = self.folder / f"{EXPERT}-{digest}.pt"
        if not path.exists():
            windows = self._windows
            keep_freed_memory()
            with self.shown(f"steps of {EXPERT} {number + 1}") as show:
                network = train_expert(
                    windows,
                    plan,
                    lambda done, of, _: show(done, of),
                    own_scale=self.options.own_scale,
                )
            write_atomically(path, network.state_dict())
        return path

    def _trees(self) -> Said:
        trees: Any = train_trees(self._windows, EXPERT_PLAN.seed)

        def say(currents: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.asarray(trees.decision_function(plain_features(currents)), dtype=np.float32)

        return say

    def _scored(self, runs: RunSet, experts: Mapping[str, Said]) -> Scores:
        if self.options.furnaces is not None:
            runs = replace(runs, furnaces=min(self.options.furnaces, runs.furnaces))
        scoring = MemberScoring(self.options.seed, EVERY, *self._members())
        with self.shown(f"furnaces of {runs.name}") as show:
            scores = scoring.scores(runs, self.options.workers, show)
        return beside_members(scores, self._currents(runs), experts)

    def _members(self) -> tuple[Path, Path]:
        """Return the folders of the served members' weights, written once, and of their scores."""
        served = check_repository(self.repository)
        made_from = (served, self.options.seed, EVERY, SIMULATOR_REVISION)
        digest = hashlib.sha256(repr(made_from).encode()).hexdigest()[:12]
        weights = self.folder / f"members-{digest}"
        for name in SHIPPED:
            path = weights_path(weights, name)
            if not path.exists():
                write_atomically(path, served_weights(self.repository, study_model(name)))
        return weights, self.folder / f"scores-{digest}"
