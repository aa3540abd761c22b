"""``meltwatch-trainer compare``: two exported ensembles on recordings that neither has seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from meltwatch_chassis.terminal import print_line
from meltwatch_core.alarms.setpoints.held_level import AlarmRule
from meltwatch_core.alarms.setpoints.threshold import Budget
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from numpy.typing import NDArray
from rich.console import Console

from meltwatch_trainer.data.furnace_run import FurnaceRun
from meltwatch_trainer.data.process_pool import in_processes
from meltwatch_trainer.data.recorded.enough import left_out
from meltwatch_trainer.data.recorded.runs import LabelledRecording
from meltwatch_trainer.errors import RepositoryError
from meltwatch_trainer.fit.card import gain_line
from meltwatch_trainer.fit.options import CompareOptions
from meltwatch_trainer.fit.prepared import read_recordings, sources_of, with_labels
from meltwatch_trainer.fit.results import KIND
from meltwatch_trainer.judge.judging import JudgingVerdict, Terms
from meltwatch_trainer.judge.left_out import judge_left_out
from meltwatch_trainer.judge.score_sets import joined, scores_of
from meltwatch_trainer.judge.scores import ENSEMBLE, Scores, score_key
from meltwatch_trainer.judge.scoring import BATCH, Answers
from meltwatch_trainer.judge.served_ensemble import ServedEnsemble, members_in
from meltwatch_trainer.judge.study_rows import BEFORE, Row
from meltwatch_trainer.judge.verdict_tables import difference_table, main_table
from meltwatch_trainer.release.model_repository import check_repository
from meltwatch_trainer.settings import default_work_folder, processors
from meltwatch_trainer.train.progress import shown_steps

BOTH: Final = "both"


@dataclass(frozen=True, slots=True)
class _Compared:
    """An exported ensemble.

    Attributes
    ----------
    name
        Its row's.
    """

    name: str
    repository: Path
    digest: str

    @property
    def row(self) -> Row:
        """How it is judged: by what it serves, at a threshold of its own."""
        return Row(self.name, f"{self.repository}, {self.digest[:12]}", (self.name,))

    def logits(self, run: FurnaceRun) -> NDArray[np.float32]:
        """Return the served log-odds of each window of a run ``(n,)``."""
        ensemble = ServedEnsemble(self.repository, members_in(self.repository))
        seen, parts = run.seen, []
        for start in range(0, len(run.labels), BATCH["cpu"]):
            part = slice(start, start + BATCH["cpu"])
            clips, currents = seen.frames[seen.frame_of[part]], seen.samples[seen.sample_of[part]]
            parts.append(ensemble.logits(clips, currents, BOTH))
        return np.concatenate(parts)


def compare_ensembles(options: CompareOptions) -> JudgingVerdict:
    """Judge two ensembles on the same recordings, and say whether one is better.

    Raises
    ------
    RepositoryError
        If a repository is not whole.
    TrainerError
        If the recordings, their labels or their number do not allow a judgement.
    """
    pair = (_opened(ENSEMBLE, options.repository), _opened(BEFORE, options.beside))
    if pair[0].digest == pair[1].digest:
        raise RepositoryError(
            f"--beside {options.beside}: expected another ensemble than --repository, "
            f"got the same digest {pair[0].digest}"
        )
    console, workers = Console(stderr=True), options.workers or processors()
    recordings = _recordings(options, workers, console)
    groups = left_out(len(recordings), None)
    scores: list[Scores] = []
    with shown_steps("recordings to score", console) as advance:
        advance(0, len(recordings))
        score = partial(_score, pair=pair, every=options.every)
        for found in in_processes(score, recordings, min(workers, len(recordings))):
            scores.append(found)
            advance(len(scores), len(recordings))
    terms = Terms(AlarmRule(), Budget(false_alarms=options.budget))
    verdict = judge_left_out(scores, groups, terms, KIND, [each.row for each in pair])
    (judged,) = verdict.sets
    print_line(
        f"{len(recordings)} recordings, {judged.faults} faults, {judged.normal_days:.2f} "
        f"furnace-days of normal operation"
    )
    for table in (main_table(judged), difference_table(judged)):
        for line in table.splitlines():
            print_line(line)
    print_line(f"{options.repository} is {gain_line(verdict, str(options.beside))}")
    return verdict


def _opened(name: str, repository: Path) -> _Compared:
    return _Compared(name, repository, check_repository(repository))


def _recordings(
    options: CompareOptions, workers: int, console: Console
) -> Sequence[LabelledRecording]:
    root = (options.work or default_work_folder()) / "fit" / "recorded"
    root.mkdir(parents=True, exist_ok=True)
    repairs = options.repair or []
    with shown_steps("recordings to read", console) as show:
        furnaces = read_recordings(sources_of(options.recordings, repairs), root, workers, show)
    found = with_labels(furnaces, options.labels, repairs)
    return [recording for recording in found if recording.stretches()]


def _score(recording: LabelledRecording, *, pair: Sequence[_Compared], every: int) -> Scores:
    hop_s = every * PUBLISHED_SPEC.hop_ns / NS_PER_S
    runs = [
        scores_of(
            run, hop_s, Answers({score_key(each.name, BOTH): each.logits(run) for each in pair}, {})
        )
        for run in recording.runs(every)
    ]
    return joined(runs)
