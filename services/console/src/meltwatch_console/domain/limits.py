"""The limit of a furnace's alarm, and what the members of the ensemble say of it.

Others judge: here a limit is shown, and agreement is a word.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.default_points import OVERHEAT
from meltwatch_schemas.default_setpoint import DEFAULT_SETPOINT
from meltwatch_schemas.score import WindowScore


class Agreement(StrEnum):
    """What the members say of a limit."""

    ALL_ABOVE = "all_above"
    ALL_BELOW = "all_below"
    SPLIT = "split"
    UNKNOWN = "unknown"


def overheat_of(furnace_id: str) -> str:
    """Return the id of a furnace's overheating alarm, which its score is held against."""
    return f"{furnace_id}/{OVERHEAT}"


def limits_of(
    furnace_id: str, points: Mapping[str, AlarmPoint], newest: WindowScore | None
) -> Setpoint:
    """Return the set-point of a furnace's overheating alarm; the built-in one where none is.

    Parameters
    ----------
    newest
        The furnace's newest score, if there is one: a set-point may be for its ensemble.
    """
    point = points.get(overheat_of(furnace_id))
    if point is None:
        return DEFAULT_SETPOINT
    return point.under(newest.model.digest if newest else None).setpoint


def agreement_of(members: Sequence[float] | None, limit: float) -> Agreement:
    """Return what the members' scores say; at the limit is above, as for the alarm."""
    if not members:
        return Agreement.UNKNOWN
    above = sum(member >= limit for member in members)
    if above == len(members):
        return Agreement.ALL_ABOVE
    return Agreement.SPLIT if above else Agreement.ALL_BELOW
