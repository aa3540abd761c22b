"""What a user may ask of the study of experts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from meltwatch_trainer.data.current_runs import EXPERT_RUNS


@Parameter(name="*")
@dataclass(frozen=True)
class ExpertOptions:
    """How many experts learn from how much, and what they are judged on."""

    trainings: Annotated[
        int, Parameter(validator=Number(gte=1), help="Experts, each trained anew.")
    ] = 4
    own_scale: Annotated[
        bool, Parameter(help="Measure currents by how restless they have been themselves.")
    ] = False
    trees: Annotated[bool, Parameter(help="Boosted trees too: needs scikit-learn.")] = False
    learned: Annotated[
        int, Parameter(validator=Number(gte=2), help="Furnaces to learn from, an hour each.")
    ] = EXPERT_RUNS.furnaces
    furnaces: Annotated[
        int | None,
        Parameter(validator=Number(gte=2), help="So many of each judged set alone: a trial."),
    ] = None
    seed: Annotated[int, Parameter(help="Seed of the simulated furnaces.")] = 1
    workers: Annotated[int, Parameter(validator=Number(gte=1), help="Processes side by side.")] = 2
    work: Annotated[
        Path | None, Parameter(help="Folder of weights and scores, kept for the next time.")
    ] = None
