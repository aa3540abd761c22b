"""The bounds of every value of a ``WindowScore``."""

import re
from math import isfinite
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
from meltwatch_schemas.novelty import check_novelty
from meltwatch_schemas.score_topics import check_frames, check_score_topics
from meltwatch_schemas.window import INT64_MAX

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
    times = score.times
    check_time("times.last_event_ns", times.last_event_ns)
    check_time("times.last_ingest_ns", times.last_ingest_ns)
    check_time("times.joined_ns", times.joined_ns)
    check_time("times.published_ns", times.published_ns)
    if times.scored_ns is not None:
        check_time("times.scored_ns", times.scored_ns)
    check_words("reasons", score.reasons)
    check_most("modalities", len(score.modalities), _MODALITIES)
    check_most("inputs", len(score.inputs), MAX_INPUTS)
    for topic, cut in score.inputs.items():
        _check_cut(topic, cut)
    for modality, state in score.source_states.items():
        _check_state(modality, state)
    check_score_topics(score.topic_ids, score.gaps)
    check_frames(score.frames)
    _check_verdict(score)
    _check_features(score.features)
    if score.novelty is not None:
        check_novelty(score.novelty)


def _check_identity(score: "WindowScore") -> None:
    check_time("window_end_ns", score.window_end_ns)
    for name, text, form in (
        ("window_id", score.window_id, _WINDOW_ID),
        ("spec_id", score.spec_id, _SPEC_ID),
    ):
        if not form.fullmatch(text):
            raise violation(f"{name}: expected {form.pattern}, got {text[:80]!r}")
    model, sources = score.model, score.sources
    for name, given in (
        ("model.name", model.name),
        ("model.version", model.version),
        ("model.digest", model.digest),
        ("encoder_id", score.encoder_id),
        ("sources.video", sources.video),
        ("sources.current", sources.current),
        ("run_id", score.run_id),
    ):
        if given is not None:
            check_text(name, given)


def _check_cut(topic: str, cut: "Cut") -> None:
    check_text("inputs", topic)
    check_whole(f"inputs.{topic}: partition", cut.partition, MAX_PARTITION)
    for offset in (cut.first_needed, cut.last_handed_on):
        if offset is not None and not 0 <= offset <= MAX_OFFSET:
            check_whole(f"inputs.{topic}: offset", offset, MAX_OFFSET)


def _check_state(modality: str, state: "SourceState") -> None:
    check_boot_id(state.boot_id)
    check_whole(f"source_states.{modality}.seq", state.seq, MAX_WHOLE)
    times = (state.event_ns, state.ingest_ns, state.standing_since_ns)
    for time_ns in (*times, state.stepped_from_ns, state.begun_ns):
        if time_ns is not None and not 0 <= time_ns <= INT64_MAX:
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
        ("logit", score.logit, -MAX_LOGIT, MAX_LOGIT),
        ("probability", score.probability, 0.0, 1.0),
        *[("member_logits", member, -MAX_LOGIT, MAX_LOGIT) for member in members],
        ("disagreement", score.disagreement, 0.0, MAX_LOGIT),
        ("video_coverage", score.video_coverage, 0.0, 1.0),
        ("current_coverage", score.current_coverage, 0.0, 1.0),
    )


def _check_features(features: "Features") -> None:
    means, deviations = features.current_mean_a, features.current_std_a
    for name, values in (("current_mean_a", means), ("current_std_a", deviations)):
        if values is not None:
            check_whole(f"features.{name}: number of phases", len(values), PHASES, PHASES)
    _check_reals(
        ("features.imbalance", features.imbalance, -MAX_FEATURE, MAX_FEATURE),
        ("features.video_mean", features.video_mean, -MAX_FEATURE, MAX_FEATURE),
        ("features.video_motion", features.video_motion, -MAX_FEATURE, MAX_FEATURE),
        *[("features.current_mean_a", each, -MAX_FEATURE, MAX_FEATURE) for each in means or ()],
        *[("features.current_std_a", each, -MAX_FEATURE, MAX_FEATURE) for each in deviations or ()],
    )


def _check_reals(*numbers: tuple[str, float | None, float, float]) -> None:
    """Refuse the first number out of bounds; one that is not finite comes after those."""
    # No comparison with NaN holds.
    wrong = [it for it in numbers if it[1] is not None and not it[2] <= it[1] <= it[3]]
    for name, number, least, most in sorted(wrong, key=lambda it: not isfinite(it[1] or 0.0)):
        check_real(name, number, most, least)
