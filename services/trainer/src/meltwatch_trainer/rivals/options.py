"""What a user may ask of the judgement of rivals."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from meltwatch_trainer.unseen.options import UnlabelledOptions


@Parameter(name="*")
@dataclass(frozen=True)
class RivalOptions(UnlabelledOptions):
    """On which furnaces it is made, and where what was seen is kept."""

    sets: Annotated[
        list[str] | None,
        Parameter(
            name="--set", help="coupled, unseen or coupled-choice; by default the first two."
        ),
    ] = None
    work: Annotated[
        Path | None,
        Parameter(help="Folder for what was seen of each furnace; by default in the cache."),
    ] = None
