"""The bounds of every value of a ``WindowScore``."""

import math
import re
from typing import TYPE_CHECKING, Final

from meltwatch_schemas.bounds import (
    MAX_FEATURE,
    MAX_INPUTS,
    MAX_LOGIT,
    MAX_MEMBERS,
    MAX_OFFSET,
    MAX_PARTITION,
    MAX_WHOLE,
    check_most,
    check_real,
    check_text,
    check_whole,
    check_words,
)  # fmt: skip
from meltwatch_schemas.codec import check_time
from meltwatch_schemas.current import PHASES
from meltwatch_schemas.errors import violation
from meltwatch_schemas.identifiers import check_boot_id
from meltwatch_schemas.score_topics import check_score_topics

if TYPE_CHECKING:
    from meltwatch_schemas.score import Cut, Features, SourceState, WindowScore

_WINDOW_ID: Final = re.compile(r"[0-9a-f]{32}")
_SPEC_ID: Final = re.compile(r"[0-9a-f]{12}")
_MODALITIES: Final = 2


def check_score(score: "WindowScore") -> None:
    """Refuse a score with a value beyond its bounds; what is not finite comes last.

    Raises
    ------
    ContractViolation
        ``contract_violation`` or ``non_finite``.
    """
    _check_identity(score)
    for name in ("last_event_ns", "last_ingest_ns", "joined_ns", "published_ns"):
        check_time(f"times.{name}", getattr(score.times, name))
    if score.times.scored_ns is not None:
        check_time("times.scored_ns", score.times.scored_ns)
    check_words("reasons", score.reasons)
    check_most("modalities", len(score.modalities), _MODALITIES)
    check_most("inputs", len(score.inputs), MAX_INPUTS)
    for topic, cut in score.inputs.items():
        _check_cut(topic, cut)
    for modality, state in score.source_states.items():
        _check_state(modality, state)
    check_score_topics(score.topic_ids, score.gaps)
    _check_verdict(score)
    _check_features(score.features)


def _check_identity(score: "WindowScore") -> None:
    check_time("window_end_ns", score.window_end_ns)
    for name, text, form in (
        ("window_id", score.window_id, _WINDOW_ID),
        ("spec_id", score.spec_id, _SPEC_ID),
    ):
        if not form.fullmatch(text):
            raise violation(f"{name}: expected {form.pattern}, got {text[:80]!r}")
    texts = {
        "model.name": score.model.name,
        "model.version": score.model.version,
        "model.digest": score.model.digest,
        "encoder_id": score.encoder_id,
        "sources.video": score.sources.video,
        "sources.current": score.sources.current,
        "run_id": score.run_id,
    }
    for name, given in texts.items():
        if given is not None:
            check_text(name, given)


def _check_cut(topic: str, cut: "Cut") -> None:
    check_text("inputs", topic)
    check_whole(f"inputs.{topic}: partition", cut.partition, MAX_PARTITION)
    for offset in (cut.first_needed, cut.last_handed_on):
        if offset is not None:
            check_whole(f"inputs.{topic}: offset", offset, MAX_OFFSET)


def _check_state(modality: str, state: "SourceState") -> None:
    check_boot_id(state.boot_id)
    check_whole(f"source_states.{modality}.seq", state.seq, MAX_WHOLE)
    times = (state.event_ns, state.ingest_ns, state.standing_since_ns)
    for time_ns in (*times, state.stepped_from_ns, state.begun_ns):
        if time_ns is not None:
            check_time(f"source_states.{modality}", time_ns)


def _check_verdict(score: "WindowScore") -> None:
    verdict = (score.logit, score.probability, score.member_logits, score.disagreement)
    unscored = score.status == "unscored"
    if any((part is None) != unscored for part in verdict):
        raise violation(
            f"verdict: expected all of it unless unscored, got {verdict} {score.status}"[:300]
        )
    members = score.member_logits or ()
    if not unscored:
        check_whole("member_logits: number of members", len(members), MAX_MEMBERS, 1)
    _check_reals(
        [("logit", score.logit, MAX_LOGIT, None), ("probability", score.probability, 1.0, 0.0)]
        + [("member_logits", member, MAX_LOGIT, None) for member in members]
        + [("disagreement", score.disagreement, MAX_LOGIT, 0.0)]
        + [("video_coverage", score.video_coverage, 1.0, 0.0)]
        + [("current_coverage", score.current_coverage, 1.0, 0.0)]
    )


def _check_features(features: "Features") -> None:
    phases = {name: getattr(features, name) for name in ("current_mean_a", "current_std_a")}
    for name, values in phases.items():
        if values is not None:
            check_whole(f"features.{name}: number of phases", len(values), PHASES, PHASES)
    numbers = [
        ("imbalance", features.imbalance),
        ("video_mean", features.video_mean),
        ("video_motion", features.video_motion),
        *((name, value) for name, values in phases.items() for value in values or ()),
    ]
    _check_reals([(f"features.{name}", number, MAX_FEATURE, None) for name, number in numbers])


def _check_reals(numbers: list[tuple[str, float | None, float, float | None]]) -> None:
    """Refuse the first number out of bounds; one that is not finite comes after those."""
    for number in sorted(numbers, key=lambda it: it[1] is not None and not math.isfinite(it[1])):
        check_real(*number)
