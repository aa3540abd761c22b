"""How far a score can be trusted: unknown is not normal."""

from meltwatch_schemas.alarm import Quality
from meltwatch_schemas.score import Modality, ScoreStatus, WindowScore


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
