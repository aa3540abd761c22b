"""From scores on disk to the evaluation: the page's tables, the figures and the document."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from meltwatch_trainer.data.run_sets import CALIBRATION, SHIFTED, TEST
from meltwatch_trainer.judge.case_study import ScoredRuns, draw_best_and_worst
from meltwatch_trainer.judge.figures import draw_figures
from meltwatch_trainer.judge.judging import Terms, Verdict, judge_study
from meltwatch_trainer.judge.models_page import write_parts
from meltwatch_trainer.judge.repeats import repeats_tables
from meltwatch_trainer.judge.scores import Scores
from meltwatch_trainer.judge.scores_file import read_scores
from meltwatch_trainer.judge.served_ensemble import ServedEnsemble
from meltwatch_trainer.judge.verdict_document import document
from meltwatch_trainer.judge.verdict_tables import tables
from meltwatch_trainer.settings import Settings
from meltwatch_trainer.train.study import SHIPPED

SETS: Final = (CALIBRATION.name, TEST.name, SHIFTED.name)


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where an evaluation is written.

    Attributes
    ----------
    page
        Markdown page with a marked place for every table.
    images
        Folder of the figures.
    document
        JSON file of all figures.
    """

    page: Path
    images: Path
    document: Path


def evaluate(settings: Settings, repository: Path, outputs: Outputs) -> Verdict:
    """Judge everything that was scored and write it down, best and worst cases included.

    Parameters
    ----------
    repository
        Holds the ensemble of the scored members; it is shown the cases again.

    Raises
    ------
    ScoresError
        If a set is missing or cannot be judged.
    """
    sets = _scored(settings)
    verdict = judged(sets)
    write(verdict, outputs)
    runs = next(runs for runs in settings.run_sets if runs.name == TEST.name)
    scored = ScoredRuns(settings, runs, sets[TEST.name])
    ensemble = ServedEnsemble(repository, SHIPPED)
    draw_best_and_worst(outputs.images / "cases.png", scored, verdict, ensemble)
    return verdict


def judged(sets: dict[str, Scores]) -> Verdict:
    """Return the verdict of the calibration furnaces on the others."""
    others = {name: scores for name, scores in sets.items() if name != CALIBRATION.name}
    return judge_study(sets[CALIBRATION.name], others, Terms())


def write_repeats(settings: Settings, page: Path) -> int:
    """Judge the study and each of its repetitions; write what they say side by side.

    Returns
    -------
    How many there are.

    Raises
    ------
    ScoresError
        If the study, or its first repetition, was not scored.
    """
    verdicts = [judged(_scored(replace(settings, repeat=number))) for number in (0, 1)]
    while (further := replace(settings, repeat=len(verdicts))).scores.exists():
        verdicts.append(judged(_scored(further)))
    write_parts(page, {"repeats": repeats_tables(verdicts)})
    return len(verdicts)


def _scored(settings: Settings) -> dict[str, Scores]:
    return {name: read_scores(settings.scores / f"{name}.npz") for name in SETS}


def write(verdict: Verdict, outputs: Outputs) -> None:
    """Write tables, figures of the first set, and the document."""
    write_parts(outputs.page, tables(verdict))
    draw_figures(outputs.images, verdict.sets[0])
    outputs.document.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document(verdict), indent=1, allow_nan=False)
    outputs.document.write_text(f"{text}\n")
