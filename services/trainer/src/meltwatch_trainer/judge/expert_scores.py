"""What members and experts on currents say about whole sets of runs, on processors.

``score`` asks every network of the study in every state of availability and wants a GPU. Here only
what an expert beside the members can change is asked: a furnace a process, resumable.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from numpy.typing import NDArray

from meltwatch_trainer.data.current_runs import CurrentWindows
from meltwatch_trainer.data.process_pool import in_processes
from meltwatch_trainer.data.run_sets import RunSet
from meltwatch_trainer.data.simulated_runs import simulated_run
from meltwatch_trainer.errors import ScoresError
from meltwatch_trainer.judge.score_sets import joined, run_scores
from meltwatch_trainer.judge.scores import Scores, score_key
from meltwatch_trainer.judge.scores_file import read_scores, write_scores
from meltwatch_trainer.network.availability import AVAILABILITY
from meltwatch_trainer.network.expert import Expert
from meltwatch_trainer.network.member import Member
from meltwatch_trainer.network.member_spec import MemberSpec
from meltwatch_trainer.train.study import SHIPPED, study_model
from meltwatch_trainer.train.study_training import keep_freed_memory
from meltwatch_trainer.train.trained import TrainedModel, trained_model

CPU: Final = torch.device("cpu")
BATCH: Final = 256
Said = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Log-odds ``(b,)`` of look-backs ``(b, 240, 3)``."""


@dataclass(frozen=True, slots=True)
class MemberScoring:
    """What members are asked about.

    Parameters
    ----------
    seed
        Of the simulated furnaces.
    every
        Runs are scored through each n-th window.
    weights
        Folder of the members' weights.
    folder
        Gets a file of scores for each furnace: of other weights, another folder.
    """

    seed: int
    every: int
    weights: Path
    folder: Path

    def scores(self, runs: RunSet, workers: int, progress: Callable[[int, int], None]) -> Scores:
        """Return a set's scores; furnaces that were scored before are not scored again."""
        parts = [self.part(runs, number) for number in range(runs.furnaces)]
        missing = [number for number, part in enumerate(parts) if not part.exists()]
        done = len(parts) - len(missing)
        progress(done, len(parts))
        for _ in in_processes(partial(self.score_furnace, runs), missing, workers):
            done += 1
            progress(done, len(parts))
        return joined([read_scores(part) for part in parts])

    def part(self, runs: RunSet, number: int) -> Path:
        """Return the file of scores of one furnace."""
        return self.folder / runs.name / f"{number:04d}.npz"

    def score_furnace(self, runs: RunSet, number: int) -> None:
        """Score one furnace."""
        keep_freed_memory()
        torch.set_num_threads(1)
        run = simulated_run(self.seed, runs, self.every, number)
        hop_s = self.every * PUBLISHED_SPEC.hop_ns / NS_PER_S
        scores = run_scores(run, hop_s, asked_members(self.weights), CPU)
        write_scores(self.part(runs, number), scores)


def asked_members(weights: Path) -> Sequence[TrainedModel]:
    """Return the served members as they are asked: with both modalities, and without video."""
    members = [trained_model(weights, study_model(name)) for name in SHIPPED]
    seeing = [replace(member, states=("both",)) for member in members]
    return [*seeing, *map(without_video, members)]


def without_video(member: TrainedModel) -> TrainedModel:
    """Return a member that says what it says where the video is lost, and computes no more for it.

    Nothing of the video's stream reaches the answer then.
    """
    spec = study_model(member.name).spec
    if not isinstance(spec, MemberSpec):
        raise TypeError(f"{member.name}: expected a member")
    network = Member(replace(spec, modality="current"))
    own = network.state_dict().keys()
    weights = {key: value for key, value in member.network.state_dict().items() if key in own}
    network.load_state_dict(weights)
    return replace(member, network=network.eval(), modality="current", states=("current",))


def expert_says(network: Expert) -> Said:
    """Return what asks an expert."""

    def say(currents: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            there = torch.ones(len(currents), 2)
            logits: NDArray[np.float32] = network(torch.from_numpy(currents), there)[:, 0].numpy()
        return logits

    return say


def beside_members(scores: Scores, windows: CurrentWindows, experts: Mapping[str, Said]) -> Scores:
    """Return the scores with those of experts, by name, in each state that has currents.

    Parameters
    ----------
    windows
        The currents of the same furnaces.

    Raises
    ------
    ScoresError
        If they are not those of the scored windows.
    """
    if not np.array_equal(windows.labels, scores.label):
        raise ScoresError("expected currents of the scored windows, got others")
    logits = dict(scores.logits)
    starts = range(0, len(windows), BATCH)
    for name, say in experts.items():
        parts = [say(windows.currents(np.arange(len(windows))[i : i + BATCH])) for i in starts]
        said = np.concatenate(parts)
        for state, (_, current) in AVAILABILITY.items():
            if current:
                logits[score_key(name, state)] = said
    return replace(scores, logits=logits)
