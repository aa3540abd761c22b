"""What a score says beside its number, as bits that the stream and traces share."""

from typing import Final

from meltwatch_schemas.score import Modality, ScoreStatus, WindowScore
from meltwatch_schemas.window import NS_PER_S

NO_VIDEO: Final = 1
NO_CURRENT: Final = 2
UNSCORED: Final = 4
BACK_FILL: Final = 8
_LIVE_NS: Final = 15 * NS_PER_S
"""A window that was published later than this after its end is none of now."""


def flags_of(score: WindowScore) -> int:
    """Return the flags of a score."""
    is_late = score.times.published_ns - score.window_end_ns > _LIVE_NS
    return (
        (0 if Modality.VIDEO in score.modalities else NO_VIDEO)
        | (0 if Modality.CURRENT in score.modalities else NO_CURRENT)
        | (UNSCORED if score.status is ScoreStatus.UNSCORED else 0)
        | (BACK_FILL if is_late else 0)
    )
