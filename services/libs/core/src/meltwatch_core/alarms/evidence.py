"""What an alarm record rests on: score, model, trust in them, and a text that says so."""

from collections.abc import Iterator
from typing import Any, Final

from meltwatch_schemas.alarm import AlarmTimes, Evidence, ModelReference, NoveltyEvidence, Quality
from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.novelty import Novelty
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_schemas.wording import patch_text

from meltwatch_core.alarms.alarm import ReceivedScore
from meltwatch_core.alarms.lost_source import telling
from meltwatch_core.alarms.system_alarms import SETPOINT_FOREIGN, SYSTEM_ALARMS, words_of
from meltwatch_core.alarms.trust import quality_of, quality_reasons

NO_MODEL: Final = "none"
"""In the place of name, version and digest where no model has a part in an alarm."""
_NONE: Final = ModelReference(name=NO_MODEL, version=NO_MODEL, digest=NO_MODEL)


def judged(received: ReceivedScore, point: AlarmPoint) -> dict[str, Any]:
    """Return what the decision rests on; it stays until the next raise or clear."""
    score, setpoint = received.score, point.setpoint
    by_imbalance, by_novelty = setpoint.imbalance_on is not None, setpoint.novelty_on is not None
    by_rule = by_imbalance or by_novelty
    by_logit = not by_rule and point.condition not in SYSTEM_ALARMS
    members = score.member_logits if by_logit else None
    start_ns = score.window_end_ns - PUBLISHED_SPEC.lookback_ns
    return {
        "evidence": Evidence(
            score=score.logit if by_logit else None,
            probability=score.probability if by_logit else None,
            threshold=setpoint.logit_on,
            threshold_off=setpoint.logit_off,
            imbalance=score.features.imbalance if by_imbalance else None,
            imbalance_on=setpoint.imbalance_on,
            imbalance_off=setpoint.imbalance_off,
            novelty=_told(score.novelty) if by_novelty and score.novelty is not None else None,
            novelty_on=setpoint.novelty_on,
            novelty_off=setpoint.novelty_off,
            window_start=utc_from_ns(max(0, start_ns)),
            window_end=utc_from_ns(score.window_end_ns),
            members=None if members is None else list(members),
            disagreement=score.disagreement if by_logit else None,
        ),
        "model": _NONE
        if by_rule
        else ModelReference(
            name=score.model.name,
            version=score.model.version,
            digest=score.model.digest,
            preproc=score.encoder_id,
        ),
    }


def seen(received: ReceivedScore, at_ns: int) -> dict[str, Any]:
    """Return how far a score can be trusted, and when it passed each step."""
    score, times = received.score, received.score.times
    return {
        "quality": quality_of(score),
        "quality_reasons": quality_reasons(score),
        "times": AlarmTimes(
            event=utc_from_ns(times.last_event_ns),
            watermark=utc_from_ns(score.window_end_ns),
            ingest=utc_from_ns(times.last_ingest_ns),
            scored=None if times.scored_ns is None else utc_from_ns(times.scored_ns),
            published=utc_from_ns(at_ns),
        ),
        "traceparent": received.traceparent,
    }


def _told(novelty: Novelty) -> NoveltyEvidence:
    row, column = novelty.peak or (None, None)
    return NoveltyEvidence(
        portrait=novelty.portrait,
        video=novelty.video,
        current=novelty.current,
        row=row,
        column=column,
    )


def level_text(point: AlarmPoint, received: ReceivedScore, since: str = "") -> str:
    """Say for an operator what a score says of a condition, and since when."""
    score, words, setpoint = received.score, words_of(point), point.setpoint
    if words is not None:
        named = sorted(telling(score, words))
        return f"{' and '.join(named)} reported{since}" if named else "no longer reported"
    if point.condition == SETPOINT_FOREIGN:
        whose = "another ensemble" if received.is_foreign else "the ensemble of the set-point"
        return f"verdicts are of {whose}, {score.model.digest[:12]}{since}"
    if setpoint.imbalance_on is not None:
        seen_share, share = score.features.imbalance, setpoint.imbalance_on
        return f"imbalance {_percent(seen_share)}{since}, alarm from {_percent(share)}"
    if setpoint.novelty_on is not None:
        return _novelty_text(score.novelty, setpoint, since)
    return f"score {_number(score.logit)}{since}, alarm from {_number(setpoint.logit_on)}"


def _novelty_text(novelty: Novelty | None, setpoint: Setpoint, since: str) -> str:
    """Say what is unlike the portrait, where, and how much."""
    surprise = None if novelty is None else novelty.surprise
    said = f"surprise {_number(surprise)}{since}, alarm from {_number(setpoint.on)}"
    where = [] if novelty is None else list(_unlike(novelty, setpoint.off))
    return ", ".join([" and ".join(where), said]) if where else said


def _unlike(novelty: Novelty, least: float) -> Iterator[str]:
    """Yield the modalities that are unlike the portrait, the picture with the place."""
    if novelty.video is not None and novelty.video >= least:
        yield f"picture {patch_text(*novelty.peak)}" if novelty.peak else "picture"
    if novelty.current is not None and novelty.current >= least:
        yield "currents"


def _number(level: float | None) -> str:
    """Return a number as people write it: two digits behind the point at most."""
    return "unknown" if level is None else f"{level:.2f}".rstrip("0").rstrip(".")


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{_number(100 * share)} %"


def unseen(since_ns: int, point: AlarmPoint, at_ns: int) -> dict[str, Any]:
    """Return what stands in place of a score's evidence."""
    since = utc_from_ns(since_ns)
    return {
        "evidence": Evidence(
            score=None,
            threshold=point.setpoint.logit_on,
            threshold_off=point.setpoint.logit_off,
            imbalance_on=point.setpoint.imbalance_on,
            imbalance_off=point.setpoint.imbalance_off,
            novelty_on=point.setpoint.novelty_on,
            novelty_off=point.setpoint.novelty_off,
            window_start=since,
            window_end=since,
        ),
        "model": _NONE,
        "quality": Quality.GOOD,
        "quality_reasons": [],
        "times": AlarmTimes(
            event=since, watermark=since, ingest=since, published=utc_from_ns(at_ns)
        ),
    }
