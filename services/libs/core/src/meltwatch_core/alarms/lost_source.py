"""Whether a source is lost, or has only just begun and cannot fill a window yet."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_schemas.window import PUBLISHED_SPEC

_MISSING: Final[Mapping[Reason, Modality]] = {
    Reason.NO_VIDEO: Modality.VIDEO,
    Reason.LOW_VIDEO_COVERAGE: Modality.VIDEO,
    Reason.NO_CURRENT: Modality.CURRENT,
    Reason.LOW_CURRENT_COVERAGE: Modality.CURRENT,
}
_REACH_NS: Final = {
    Modality.VIDEO: PUBLISHED_SPEC.clip_span_ns,
    Modality.CURRENT: PUBLISHED_SPEC.lookback_ns,
}


def telling(score: WindowScore, words: AbstractSet[Reason]) -> list[Reason]:
    """Return the score's words that mean a fault, in a fixed order."""
    if words.isdisjoint(score.reasons):
        return []
    found = [word for word in Reason if word in words and word in score.reasons]
    return [word for word in found if word not in _MISSING or not _begins(score, _MISSING[word])]


def _begins(score: WindowScore, modality: Modality) -> bool:
    """Tell whether a modality cannot have filled its part of the window yet.

    One that has never come may still come for as long as the furnace itself is younger than a
    look-back.
    """
    begun = {m: state.begun_ns for m, state in score.source_states.items()}
    known = [begun_ns for begun_ns in begun.values() if begun_ns is not None]
    if modality in begun:
        since_ns, reach_ns = begun[modality], _REACH_NS[modality]
    else:
        since_ns, reach_ns = min(known, default=None), PUBLISHED_SPEC.lookback_ns
    return since_ns is not None and score.window_end_ns - since_ns < reach_ns
