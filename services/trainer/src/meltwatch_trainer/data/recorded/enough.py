"""Whether recordings are enough for what is claimed of them; which are left out together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from meltwatch_trainer.errors import TooFewError

HOUR_S: Final = 3600.0
DAY_H: Final = 24.0


@dataclass(frozen=True, slots=True)
class RecordingSize:
    """How much a recording holds.

    Attributes
    ----------
    faults
        Labelled ones, of which some window is anomalous.
    normal_s
        Seconds of normal operation.
    """

    name: str
    faults: int
    normal_s: float


def left_out(count: int, folds: int | None) -> list[tuple[int, ...]]:
    """Return which recordings are left out together: each once, by default each alone.

    Raises
    ------
    TooFewError
        If there are fewer recordings than that.
    """
    if count < 2:
        raise TooFewError(
            f"expected two recordings or more, so that one can be left out, got {count}: "
            f"record more furnaces, or another time of this one"
        )
    groups = count if folds is None else folds
    if not 2 <= groups <= count:
        raise TooFewError(f"--folds: expected 2 to {count}, the number of recordings, got {groups}")
    return [tuple(range(first, count, groups)) for first in range(groups)]


def check_enough(
    sizes: Sequence[RecordingSize], groups: Sequence[Sequence[int]], budget: float | None
) -> None:
    """Refuse recordings that could not show what is claimed.

    Parameters
    ----------
    budget
        False alarms per furnace-day that a set-point is wanted for; None claims none.

    Raises
    ------
    TooFewError
        With what is missing.
    """
    for group in groups:
        rest = [size for number, size in enumerate(sizes) if number not in group]
        names = ", ".join(sizes[number].name for number in group)
        if not sum(size.faults for size in rest):
            raise TooFewError(
                f"without {names}: expected a labelled fault in what is left to learn from, got "
                f"none: label faults in two recordings or more"
            )
        if not sum(size.normal_s for size in rest):
            raise TooFewError(
                f"without {names}: expected normal operation in what is left to learn from, got "
                f"none: record hours in which nothing is wrong"
            )
    hours = sum(size.normal_s for size in sizes) / HOUR_S
    if budget is not None and hours / DAY_H * budget < 1:
        raise TooFewError(
            f"--budget {budget:g}: expected {DAY_H / budget:.0f} hours of normal operation or more "
            f"(one false alarm at that rate), got {hours:.1f}: record more, allow more, or claim "
            f"no set-point (--no-setpoint) and find it later by 'meltwatch alarms setpoint'"
        )
