"""The options of ``meltwatch-trainer fit`` and ``compare``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from meltwatch_trainer.study_commands import DeviceName

RepairName = Literal["seconds", "video", "labels"]
Recordings = Annotated[
    list[Path],
    Parameter(
        consume_multiple=True,
        help="Folders of 'meltwatch record', or of the FMF-Benchmark's form.",
    ),
]
Labels = Annotated[
    Path | None,
    Parameter(help="File of 'meltwatch labels export', or CSV with furnace, start, end, verdict."),
]
Repairs = Annotated[
    list[RepairName] | None,
    Parameter(
        help="What may be repaired; again for more. seconds, video: of FMF-Benchmark files; "
        "labels: leave out, cut and join what does not fit."
    ),
]
BudgetOption = Annotated[
    float, Parameter(validator=Number(gt=0), help="False alarms per furnace-day to allow.")
]
Every = Annotated[int, Parameter(validator=Number(gte=1), help="Score each n-th window alone.")]
Work = Annotated[
    Path | None,
    Parameter(help="Folder of what is made on the way; default ~/.cache/meltwatch/trainer."),
]
Workers = Annotated[
    int | None,
    Parameter(validator=Number(gte=1), help="Processes side by side; default: processors."),
]


@Parameter(name="*")
@dataclass(frozen=True)
class FitOptions:
    """What a fit is made from, and how."""

    recordings: Recordings
    labels: Labels = None
    to: Annotated[Path, Parameter(help="Folder for the ensemble, its card and its figures.")] = (
        Path("fitted")
    )
    continue_from: Annotated[
        Path | None,
        Parameter(help="Model repository whose members' weights to go on from; else from none."),
    ] = None
    repair: Repairs = None
    budget: BudgetOption = 0.75
    no_setpoint: Annotated[bool, Parameter(help="Claim no set-point, whatever the budget.")] = False
    folds: Annotated[
        int | None,
        Parameter(help="Groups in which recordings are left out: each alone, or 3 with small."),
    ] = None
    preset: Annotated[
        Literal["served", "small"],
        Parameter(
            help="What it costs: as the shipped ensemble, or little: small members where none are "
            "gone on from, fewer epochs, groups and windows."
        ),
    ] = "served"
    epochs: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=1),
            help="Times that each member sees what it learns from: 20, 8 with small, or 3 with "
            "--continue-from.",
        ),
    ] = None
    every: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=1), help="Score each n-th window alone: 1, or 3 with small."
        ),
    ] = None
    seed: Annotated[int, Parameter(help="Of draws, order and fresh weights.")] = 1
    work: Work = None
    device: Annotated[DeviceName, Parameter(help="Where networks compute.")] = DeviceName.AUTO
    workers: Workers = None


@Parameter(name="*")
@dataclass(frozen=True)
class CompareOptions:
    """Which ensembles are judged, and on what."""

    repository: Annotated[Path, Parameter(help="Model repository of the ensemble to judge.")]
    beside: Annotated[Path, Parameter(help="Model repository that it is compared with.")]
    recordings: Recordings
    labels: Labels = None
    repair: Repairs = None
    budget: BudgetOption = 0.75
    every: Every = 1
    work: Work = None
    workers: Workers = None
