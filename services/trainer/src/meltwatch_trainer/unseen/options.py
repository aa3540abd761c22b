"""What a user may ask of a judgement without labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number


@Parameter(name="*")
@dataclass(frozen=True)
class UnlabelledOptions:
    """On which furnaces it is made."""

    sets: Annotated[list[str] | None, Parameter(name="--set", help="A set of furnaces.")] = None
    furnaces: Annotated[
        int | None, Parameter(validator=Number(gte=2), help="So many of a set alone: a trial.")
    ] = None
    seed: Annotated[int, Parameter(help="Seed of the simulated furnaces.")] = 1
    workers: Annotated[int, Parameter(validator=Number(gte=1), help="Processes side by side.")] = 2
    to: Annotated[Path | None, Parameter(help="Folder for a JSON file of each set.")] = None


@Parameter(name="*")
@dataclass(frozen=True)
class UnseenOptions(UnlabelledOptions):
    """On which furnaces it is made, and whether the ensemble is asked too."""

    sets: Annotated[
        list[str] | None,
        Parameter(
            name="--set", help="A set of unseen furnaces; by default unseen and unseen-shifted."
        ),
    ] = None
    repository: Annotated[
        Path | None,
        Parameter(help="Model repository whose ensemble is asked too, a minute a furnace."),
    ] = None
