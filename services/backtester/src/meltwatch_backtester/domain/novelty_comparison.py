"""Whether a replay says of a portrait what live said."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from meltwatch_schemas.novelty import FollowedLevels, Novelty, novelty_message
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import WindowScore

NOVELTY_TOLERANCE: Final = 0.01
"""Another kind of processor may differ in the last digits, and round a level to the 16-bit number
beside it; the same one does not differ."""
_STALE: Final = (Reason.PORTRAIT_STALE,)


def stale_words(score: WindowScore) -> tuple[Reason, ...]:
    """Return the word for a stale portrait, if a score says it."""
    return _STALE if Reason.PORTRAIT_STALE in score.reasons else ()


def novelty_difference(one: Novelty | None, other: Novelty | None) -> float:
    """Return by how much two novelties differ: 0 if they have the same bits.

    Of surprises it is their distance, of levels that is relative. Infinite if they are of different
    portraits or windows, or differ in more than numbers.
    """
    if one is None or other is None:
        return 0.0 if one is other else math.inf
    if novelty_message(one) == novelty_message(other):
        return 0.0
    if (one.portrait, one.unusual) != (other.portrait, other.unusual):
        return math.inf
    return max(_differences(one, other))


def _differences(one: Novelty, other: Novelty) -> Iterator[float]:
    yield _distance(one.video, other.video)
    yield _distance(one.current, other.current)
    yield _level_distance(one.followed_video, other.followed_video)
    yield _level_distance(one.followed_current, other.followed_current)


def _distance(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else math.inf
    return abs(one - other)


def _level_distance(one: FollowedLevels | None, other: FollowedLevels | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else math.inf
    if one.judged_ns != other.judged_ns:
        return math.inf
    ours, theirs = (each.levels.astype(np.float64) for each in (one, other))
    return float(np.max(np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs))))
