"""Sets of whole runs of furnaces, on which networks are calibrated and judged."""

from dataclasses import dataclass, replace
from typing import Final

from meltwatch_trainer.data.windows import FEWEST_FURNACES

FEWEST_MINUTES: Final = 20.0
"""Two slots of the faults' schedule: a trial without any fault could not be judged."""


@dataclass(frozen=True, slots=True)
class RunSet:
    """A set of furnaces that no other set contains, each watched for one run.

    Parameters
    ----------
    name
        Part of the furnaces' ids; also the name of the set's file of scores.
    furnaces, minutes
        Number of furnaces, and length of each one's run.
    beyond
        How far outside the training ranges the furnaces' traits are drawn, of a range's width;
        0 draws inside.
    """

    name: str
    furnaces: int
    minutes: float = 60.0
    beyond: float = 0.0

    @property
    def duration_s(self) -> float:
        """Length of a run in seconds."""
        return 60 * self.minutes

    def furnace_id(self, number: int) -> str:
        """Return the id of one of the set's furnaces."""
        return f"{self.name}/furnace-{number:04d}"

    def scaled(self, scale: float) -> "RunSet":
        """Return the same with fewer furnaces and shorter runs, for a trial."""
        if scale == 1.0:
            return self
        return replace(
            self,
            furnaces=max(FEWEST_FURNACES, round(self.furnaces * scale)),
            minutes=max(FEWEST_MINUTES, self.minutes * scale),
        )


CALIBRATION: Final = RunSet("calibration", furnaces=120)
TEST: Final = RunSet("test", furnaces=90)
SHIFTED: Final = RunSet("shifted", furnaces=24, beyond=0.3)
RUN_SETS: Final = {runs.name: runs for runs in (CALIBRATION, TEST, SHIFTED)}
"""All sets of runs by name, in the order in which they are scored."""
