"""How far a score can be trusted: unknown is not normal."""

from typing import Final

from meltwatch_schemas.alarm import Quality
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.score import Modality, ScoreStatus, WindowScore
from meltwatch_schemas.window import NS_PER_S

MAX_AHEAD_NS: Final = 24 * 3600 * NS_PER_S
"""How far the clocks of two machines, or their time zones, may be apart.

A window that ends later would make every true window of its furnace look old, for that long.
"""


def not_ahead(score: WindowScore, now_ns: int) -> WindowScore:
    """Return a score as it is.

    Raises
    ------
    ContractViolation
        If its window ends in the future.
    """
    if score.window_end_ns > now_ns + MAX_AHEAD_NS:
        raise ContractViolation(
            Refusal.FUTURE_EVENT_TIME,
            f"window_end_ns: expected at most a day after {now_ns}, got {score.window_end_ns}",
        )
    return score


def quality_of(score: WindowScore) -> Quality:
    """Return the quality of a score.

    ``good`` with both modalities, ``bad`` with neither, else ``uncertain``: one of them, or
    scoring failed.
    """
    if score.status is ScoreStatus.SCORED:
        return Quality.GOOD
    return Quality.UNCERTAIN if score.modalities else Quality.BAD


def quality_reasons(score: WindowScore) -> list[str]:
    """Return the words for what is wrong with a score; none if it is good."""
    if score.status is ScoreStatus.SCORED:
        return []
    missing = [f"{name.value}_unavailable" for name in Modality if name not in score.modalities]
    return list(dict.fromkeys([*score.reasons, *missing]))
