"""What a furnace's own normal operation looks like, and how unlike it a window is.

Closed forms of embeddings and currents alone: nothing is trained, and no network is asked.
"""

from meltwatch_core.portraits.features import current_features, patch_features
from meltwatch_core.portraits.modes import CURRENT_MODES, VIDEO_MODES, LawOfModes, NotFiniteError
from meltwatch_core.portraits.normal_law import NormalLaw, fit_law
from meltwatch_core.portraits.novelty import (
    JUDGED_EVERY,
    JUDGED_EVERY_NS,
    KnownPortrait,
    is_judged,
    is_stale,
    novelty_of,
)
from meltwatch_core.portraits.persistence import (
    CURRENT_RISE_PER_S,
    PATCH_RISE_PER_S,
    follow,
    raw_novelty,
)
from meltwatch_core.portraits.portrait import (
    PlaceLaw,
    PortraitSide,
    UsualLevels,
    fit_side,
    fitted_count,
)
from meltwatch_core.portraits.surprise import SurpriseScale, fit_scale

__all__ = [
    "CURRENT_MODES",
    "CURRENT_RISE_PER_S",
    "JUDGED_EVERY",
    "JUDGED_EVERY_NS",
    "PATCH_RISE_PER_S",
    "VIDEO_MODES",
    "KnownPortrait",
    "LawOfModes",
    "NormalLaw",
    "NotFiniteError",
    "PlaceLaw",
    "PortraitSide",
    "SurpriseScale",
    "UsualLevels",
    "current_features",
    "fit_law",
    "fit_scale",
    "fit_side",
    "fitted_count",
    "follow",
    "is_judged",
    "is_stale",
    "novelty_of",
    "patch_features",
    "raw_novelty",
]
