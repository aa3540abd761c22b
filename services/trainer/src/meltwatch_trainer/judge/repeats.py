"""What hangs on the random numbers of training: the same study, trained again and again."""

from collections.abc import Sequence
from typing import Final

from meltwatch_trainer.judge.judging import SetVerdict, Verdict
from meltwatch_trainer.judge.verdict_tables import NONE, interval, table

BASELINES: Final = frozenset({"always", "never", "random"})
FIGURES: Final = {"recall": 3, "false_per_day": 2, "auroc": 4, "iou": 3}
"""Name of each figure, and the digits that it is told with."""


def repeats_tables(verdicts: Sequence[Verdict]) -> str:
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
    """Return what the ensemble has more than what it is compared with, training by training."""
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
