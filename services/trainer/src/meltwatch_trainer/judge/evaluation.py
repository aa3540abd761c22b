"""From scores on disk to the evaluation: the page's tables, the figures and the document."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from meltwatch_trainer.data.run_sets import CALIBRATION, SHIFTED, TEST
from meltwatch_trainer.errors import PageError
from meltwatch_trainer.judge.case_study import ScoredRuns, draw_best_and_worst
from meltwatch_trainer.judge.figures import draw_figures
from meltwatch_trainer.judge.judging import JudgingVerdict, SetVerdict, Terms, judge_study
from meltwatch_trainer.judge.scores import Scores
from meltwatch_trainer.judge.scores_file import read_scores
from meltwatch_trainer.judge.served_ensemble import ServedEnsemble
from meltwatch_trainer.judge.verdict_document import document
from meltwatch_trainer.judge.verdict_tables import NONE, interval, table, tables
from meltwatch_trainer.settings import Settings
from meltwatch_trainer.train.study import SHIPPED

SETS: Final = (CALIBRATION.name, TEST.name, SHIFTED.name)
BASELINES: Final = frozenset({"always", "never", "random"})
FIGURES: Final = {"recall": 3, "false_per_day": 2, "auroc": 4, "iou": 3}
"""Name of each figure, and the digits that it is told with."""


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


def evaluate(settings: Settings, repository: Path, outputs: Outputs) -> JudgingVerdict:
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


def judged(sets: dict[str, Scores]) -> JudgingVerdict:
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


def write(verdict: JudgingVerdict, outputs: Outputs) -> None:
    """Write tables, figures of the first set, and the document."""
    write_parts(outputs.page, tables(verdict))
    draw_figures(outputs.images, verdict.sets[0])
    outputs.document.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document(verdict), indent=1, allow_nan=False)
    outputs.document.write_text(f"{text}\n")


def write_parts(path: Path, parts: Mapping[str, str]) -> None:
    """Put each part between ``<!-- NAME: generated -->`` and ``<!-- NAME: end -->``.

    Raises
    ------
    PageError
        If the page is not there or lacks a part's markers; nothing is written then.
    """
    try:
        page = path.read_text()
    except OSError as error:
        raise PageError(f"{path}: expected a page to write into: {error.strerror}") from error
    for name, text in parts.items():
        page = _with_part(page, name, text, path)
    path.write_text(page)


def _with_part(page: str, name: str, text: str, path: Path) -> str:
    begin, end = f"<!-- {name}: generated -->\n", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise PageError(f"{path}: expected the markers {begin.strip()} and {end}")
    return f"{before}{begin}{text}\n{end}{after}"


def repeats_tables(verdicts: Sequence[JudgingVerdict]) -> str:
    """Return, for each set of runs, the figures of all trainings side by side."""
    sets = zip(*(verdict.sets for verdict in verdicts), strict=True)
    return "\n\n".join(_set_tables(trained) for trained in sets)


def _set_tables(trained: Sequence[SetVerdict]) -> str:
    first = trained[0]
    caption = (
        f"**Simulated**: set `{first.name}`, {first.furnaces} furnaces, {first.faults} faults; "
        f"each network trained {len(trained)} times, the study's own training first."
    )
    head = ("row", "event recall", "false alarms per furnace-day", "AUROC", "pixel IoU")
    rows = [row.name for row in first.judged if row.name not in BASELINES]
    return "\n\n".join(
        (caption, table(head, (_cells(trained, name) for name in rows)), _gains(trained))
    )


def _cells(trained: Sequence[SetVerdict], name: str) -> list[str]:
    rows = [next(row for row in one.judged if row.name == name) for one in trained]
    cells = [rows[0].title]
    for figure, digits in FIGURES.items():
        found = [row.estimate(figure) for row in rows]
        told = [NONE if one is None else f"{one.value:.{digits}f}" for one in found]
        cells.append(NONE if set(told) == {NONE} else ", ".join(told))
    return cells


def _gains(trained: Sequence[SetVerdict]) -> str:
    """Return by how much the ensemble's figures exceed the others', training by training."""
    head = ("ensemble minus", "training", "event recall", "AUROC")
    titles = {row.name: row.title for row in trained[0].judged}
    return table(
        head,
        (
            [
                titles[name],
                str(number),
                interval(found["recall"], 3, signed=True),
                interval(found["auroc"], 4, signed=True),
            ]
            for number, one in enumerate(trained, start=1)
            for name, found in one.differences.items()
        ),
    )
