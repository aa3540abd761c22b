"""The words of a score's ``reasons``: why a window is not judged as usual, or what is wrong.

Readers take any word: later versions may have more.
"""

from enum import StrEnum
from typing import Final

from meltwatch_schemas.score import Modality


class Reason(StrEnum):
    """Every word that this version writes."""

    NO_VIDEO = "no_video"
    NO_CURRENT = "no_current"
    LOW_VIDEO_COVERAGE = "low_video_coverage"
    LOW_CURRENT_COVERAGE = "low_current_coverage"
    FROZEN_VIDEO = "frozen_video"
    BLACK_VIDEO = "black_video"
    SATURATED_VIDEO = "saturated_video"
    STUCK_CURRENT = "stuck_current"
    CLIPPED_CURRENT = "clipped_current"
    LOST_PHASE = "lost_phase"
    CLOCK_STEP_VIDEO = "clock_step_video"
    CLOCK_STEP_CURRENT = "clock_step_current"
    FROZEN_CLOCK_VIDEO = "frozen_clock_video"
    FROZEN_CLOCK_CURRENT = "frozen_clock_current"
    LATE_VIDEO = "late_video"
    LATE_CURRENT = "late_current"
    FUTURE_VIDEO = "future_video"
    FUTURE_CURRENT = "future_current"
    SYNC_SKEW = "sync_skew"
    MODEL_UNAVAILABLE = "model_unavailable"
    SCORING_REJECTED = "scoring_rejected"
    OVERLOAD = "overload"
    SCORING_LAG = "scoring_lag"
    BEHIND_VIDEO = "behind_video"
    BEHIND_CURRENT = "behind_current"
    PORTRAIT_STALE = "portrait_stale"


LATE: Final = {Modality.VIDEO: Reason.LATE_VIDEO, Modality.CURRENT: Reason.LATE_CURRENT}
"""Records of a modality came after their windows had closed."""
FUTURE: Final = {Modality.VIDEO: Reason.FUTURE_VIDEO, Modality.CURRENT: Reason.FUTURE_CURRENT}
"""Records of a modality were refused as future ones."""
UNTIMELY: Final = frozenset({*LATE.values(), *FUTURE.values()})
"""Reasons that come from how records arrived, not from a window's content."""
BEHIND: Final = {Modality.VIDEO: Reason.BEHIND_VIDEO, Modality.CURRENT: Reason.BEHIND_CURRENT}
"""A modality was left out because its event times were too far behind the other's."""
