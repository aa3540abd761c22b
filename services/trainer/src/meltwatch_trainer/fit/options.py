"""The options of ``meltwatch-trainer fit``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from meltwatch_trainer.study_commands import DeviceName

RepairName = Literal["seconds", "video", "labels"]


@Parameter(name="*")
@dataclass(frozen=True)
class FitOptions:
    """What a fit is made from, and how."""

    recordings: Annotated[
        list[Path],
        Parameter(
            consume_multiple=True,
            help="Folders of 'meltwatch record', or of the FMF-Benchmark's form.",
        ),
    ]
    labels: Annotated[
        Path | None,
        Parameter(
            help="File of 'meltwatch labels export', or CSV with furnace, start, end, verdict."
        ),
    ] = None
    to: Annotated[Path, Parameter(help="Folder for the ensemble, its card and its figures.")] = (
        Path("fitted")
    )
    continue_from: Annotated[
        Path | None,
        Parameter(help="Model repository whose members' weights to go on from; else from none."),
    ] = None
    repair: Annotated[
        list[RepairName] | None,
        Parameter(
            help="What may be repaired; again for more. seconds, video: of FMF-Benchmark files; "
            "labels: leave out, cut and join what does not fit."
        ),
    ] = None
    budget: Annotated[
        float,
        Parameter(validator=Number(gt=0), help="False alarms per furnace-day to allow."),
    ] = 0.75
    no_setpoint: Annotated[bool, Parameter(help="Claim no set-point, whatever the budget.")] = False
    folds: Annotated[
        int | None,
        Parameter(help="Leave recordings out in so many groups; by default each alone."),
    ] = None
    preset: Annotated[
        Literal["served", "small"], Parameter(help="Size of the members: the shipped, or small.")
    ] = "served"
    epochs: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=1),
            help="Times that each member sees what it learns from: 20, or 3 with --continue-from.",
        ),
    ] = None
    every: Annotated[
        int, Parameter(validator=Number(gte=1), help="Score each n-th window alone.")
    ] = 1
    seed: Annotated[int, Parameter(help="Of draws, order and fresh weights.")] = 1
    work: Annotated[
        Path | None,
        Parameter(help="Folder of what is made on the way; default ~/.cache/meltwatch/trainer."),
    ] = None
    device: Annotated[DeviceName, Parameter(help="Where networks compute.")] = DeviceName.AUTO
    workers: Annotated[
        int | None,
        Parameter(validator=Number(gte=1), help="Processes side by side; default: processors."),
    ] = None
