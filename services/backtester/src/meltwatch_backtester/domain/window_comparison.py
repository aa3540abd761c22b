"""Whether a replayed window is the live one, and if not, in what they differ and why."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Final

import numpy as np
from meltwatch_schemas.reasons import UNTIMELY, Reason
from meltwatch_schemas.score import Sources, WindowScore

from meltwatch_backtester.domain.novelty_comparison import (
    NOVELTY_TOLERANCE,
    novelty_difference,
    stale_words,
)

LOGIT_TOLERANCE: Final = 1e-3
"""Another server may differ in the last digits (batches, number formats); the same one does not."""
_LACKED: Final = ("model_unavailable", "overload")
_VERDICT: Final = frozenset({"logit", "probability", "member_logits", "disagreement"})
_NEVER: Final = frozenset(
    {"topic_ids", "gaps", "model", "times", "anomaly_map", "run_id", "unregistered", "novelty"}
)
"""Fields that depend on the run, not on the window, or are compared after the verdict."""
_CUTS: Final = frozenset({"inputs", "source_states", "frames"})
"""Fields that depend on the order of reading."""


class Kind(StrEnum):
    """A class of difference between live and replay."""

    MODEL_UNAVAILABLE = "model_unavailable"
    OVERLOAD = "overload"
    OTHER_MODEL = "other_model"
    NOT_YET_LIVE = "not_yet_live"
    LATE = "late"
    LOST = "lost"
    MISSING = "missing"
    UNEXPECTED = "unexpected"
    CONTENT = "content"
    VERDICT = "verdict"
    NOVELTY = "novelty"
    OTHER_PORTRAIT = "other_portrait"

    @property
    def is_explained(self) -> bool:
        """Whether such a difference is expected, and no defect."""
        return self in _EXPLAINED


_EXPLAINED: Final = frozenset(
    {
        Kind.MODEL_UNAVAILABLE, Kind.OVERLOAD, Kind.OTHER_MODEL, Kind.NOT_YET_LIVE, Kind.LATE,
        Kind.OTHER_PORTRAIT,
    }
)  # fmt: skip
MEANINGS: Final = {
    Kind.MODEL_UNAVAILABLE: "live had no model to ask; the replay had one",
    Kind.OVERLOAD: "live had no time to score the window; the replay scored it",
    Kind.OTHER_MODEL: "live was scored by another model",
    Kind.NOT_YET_LIVE: "live had not closed the window yet, or had not begun",
    Kind.LATE: "live closed windows of the furnace on other records: some came late",
    Kind.LOST: "live never published the window number before, although it was not silent",
    Kind.MISSING: "live published the window; the records do not give it again",
    Kind.UNEXPECTED: "the records give the window; live never published it",
    Kind.CONTENT: "the window is not what live saw",
    Kind.VERDICT: "the window is the same, the verdict of the same model is not",
    Kind.NOVELTY: "the window is the same, what it says of the same portrait is not",
    Kind.OTHER_PORTRAIT: "live compared the furnace with another portrait, or with none",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a replayed score and the live one compare.

    Attributes
    ----------
    kind
        None if they are the same window with the same verdict.
    detail
        What differs, in words.
    logit_difference
        Between verdicts of the same model, or None.
    novelty_difference
        Between what both say of the same portrait, or None.
    """

    kind: Kind | None = None
    detail: str = ""
    logit_difference: float | None = None
    novelty_difference: float | None = None


def compare(replayed: WindowScore, live: WindowScore, *, with_cuts: bool) -> Comparison:
    """Compare the scores of one window number.

    Parameters
    ----------
    replayed, live
        The scores.
    with_cuts
        Whether windows were closed at the recorded cuts, so that offsets and sources must agree.
    """
    lacked = next((word for word in _LACKED if word in live.reasons), None)
    skipped = _NEVER | (frozenset() if with_cuts else _CUTS)
    if not live.frames:  # scores of 1.0 name none
        skipped |= {"frames"}
    if not with_cuts:
        replayed, live = _own_content(replayed), _own_content(live)
    if lacked is not None:
        skipped |= _VERDICT | {"status", "reasons"}
    others = _differing(_of_window(replayed), _of_window(live), skipped | _VERDICT)
    if replayed.times.last_event_ns != live.times.last_event_ns:
        others.append("last_event_ns")
    if others:
        return Comparison(Kind.CONTENT, ", ".join(others))
    if lacked is not None:
        return Comparison(Kind(lacked), f"live: {', '.join(live.reasons)}")
    if replayed.model != live.model:
        return Comparison(Kind.OTHER_MODEL, f"live: {live.model.name} {live.model.digest[:12]}")
    found = _verdicts(replayed, live)
    return found if found.kind is not None else _novelties(replayed, live, found)


def _verdicts(replayed: WindowScore, live: WindowScore) -> Comparison:
    difference = largest_difference(replayed, live)
    if difference is None:
        return Comparison()
    if difference > LOGIT_TOLERANCE:
        detail = f"logit {replayed.logit:.6f}, live {live.logit:.6f}"
        return Comparison(Kind.VERDICT, detail, difference)
    if difference == 0.0 and not _is_same_map(replayed, live):
        return Comparison(Kind.VERDICT, "anomaly_map", difference)
    return Comparison(logit_difference=difference)


def _novelties(replayed: WindowScore, live: WindowScore, found: Comparison) -> Comparison:
    ours, theirs = _portrait(replayed), _portrait(live)
    if ours != theirs:
        named = "none" if theirs is None else theirs[:16]
        return replace(found, kind=Kind.OTHER_PORTRAIT, detail=f"portrait, live: {named}")
    difference = novelty_difference(replayed.novelty, live.novelty)
    if difference > NOVELTY_TOLERANCE or stale_words(replayed) != stale_words(live):
        return replace(found, kind=Kind.NOVELTY, detail=_told(replayed, live))
    # What is carried over is the same object, and says nothing of how well it is computed.
    is_carried_over = replayed.novelty is live.novelty
    return found if is_carried_over else replace(found, novelty_difference=difference)


def _portrait(score: WindowScore) -> str | None:
    return None if score.novelty is None else score.novelty.portrait


def _told(*scores: WindowScore) -> str:
    ours, theirs = (
        ", ".join([f"surprise {each.novelty and each.novelty.surprise}", *stale_words(each)])
        for each in scores
    )
    return f"{ours}; live: {theirs}"


def largest_difference(replayed: WindowScore, live: WindowScore) -> float | None:
    """Return the largest difference of fused and members' logits; None if either is unscored."""
    if replayed.logit is None or live.logit is None:
        return None
    ours = (replayed.logit, *(replayed.member_logits or ()))
    theirs = (live.logit, *(live.member_logits or ()))
    return max(abs(one - other) for one, other in zip(ours, theirs, strict=True))


def _is_same_map(replayed: WindowScore, live: WindowScore) -> bool:
    if replayed.anomaly_map is None or live.anomaly_map is None:
        # Each run may publish maps from another probability on.
        return True
    return bool(np.array_equal(replayed.anomaly_map, live.anomaly_map))


def _of_window(score: WindowScore) -> WindowScore:
    """Return a score without the word that its portrait alone has given it."""
    if Reason.PORTRAIT_STALE not in score.reasons:
        return score
    reasons = tuple(word for word in score.reasons if word != Reason.PORTRAIT_STALE)
    return replace(score, reasons=reasons)


def _own_content(score: WindowScore) -> WindowScore:
    """Return a score without the fields that depend on how records arrived.

    A source that has sent nothing yet, or nothing of late, is named or not by how far was read.
    """
    heard = {modality.value: getattr(score.sources, modality) for modality in score.modalities}
    reasons = tuple(word for word in score.reasons if word not in UNTIMELY)
    return replace(score, reasons=reasons, sources=Sources(**heard))


def _differing(one: WindowScore, other: WindowScore, skipped: frozenset[str]) -> list[str]:
    names = [field.name for field in fields(one) if field.name not in skipped]
    return [name for name in names if getattr(one, name) != getattr(other, name)]
