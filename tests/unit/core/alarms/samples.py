"""Scores, alarm points, commands and raw records for the alarm manager's tests."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

from meltwatch_schemas.alarm_command import Command
from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.default_points import OF_CLASS, built_in, default_points, derived
from meltwatch_schemas.json_message import KeyedMessage
from meltwatch_schemas.point_rules import check_point
from meltwatch_schemas.record import JSON, RawRecord, headers_for
from meltwatch_schemas.score import SCHEMA as SCORE_SCHEMA
from meltwatch_schemas.score import (
    Features,
    Modality,
    ModelIdentity,
    ScoreStatus,
    ScoreTimes,
    Sources,
    WindowScore,
    encode_score,
)
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import PUBLISHED_SPEC

FURNACE = "dashiqiao/smelting-1/FMF-03"
ALARM_ID = f"{FURNACE}/OVERHEAT"
PREFIX = "test"
HOP_NS = PUBLISHED_SPEC.hop_ns
FIRST_NUMBER = 1_215_000_000  # in 2025
DIGEST = "0" * 64
BOTH = (Modality.VIDEO, Modality.CURRENT)


def window_end(number: int, furnace_id: str = FURNACE) -> int:
    """Return the end of the n-th window of a test."""
    return PUBLISHED_SPEC.window_end_ns(furnace_id, FIRST_NUMBER + number)


def score(
    number: int,
    logit: float | None,
    furnace_id: str = FURNACE,
    modalities: tuple[Modality, ...] = BOTH,
    model: str = "fmformer",
    **changes: Any,
) -> WindowScore:
    """Return the score of the n-th window; without a logit it is unscored."""
    end_ns = window_end(number, furnace_id)
    scored = logit is not None
    whole = set(modalities) == set(BOTH)
    status = ScoreStatus.SCORED if whole else ScoreStatus.DEGRADED
    made = WindowScore(
        furnace_id=furnace_id,
        window_end_ns=end_ns,
        window_id=PUBLISHED_SPEC.window_id(furnace_id, end_ns),
        spec_id=PUBLISHED_SPEC.spec_id,
        status=status if scored else ScoreStatus.UNSCORED,
        modalities=modalities,
        video_coverage=1.0 if Modality.VIDEO in modalities else 0.0,
        current_coverage=1.0 if Modality.CURRENT in modalities else 0.0,
        logit=logit,
        probability=0.5 if scored else None,
        member_logits=(logit, logit) if logit is not None else None,
        disagreement=0.0 if scored else None,
        anomaly_map=None,
        features=Features(),
        model=ModelIdentity(model, "1", DIGEST),
        encoder_id="dct-192-a375f01fafb8",
        sources=Sources("camera", "meter"),
        reasons=(),
        times=ScoreTimes(
            last_event_ns=end_ns,
            last_ingest_ns=end_ns,
            joined_ns=end_ns,
            scored_ns=end_ns if scored else None,
            published_ns=end_ns,
        ),
    )
    return replace(made, **changes) if changes else made


def point(furnace_id: str = FURNACE, **changes: Any) -> AlarmPoint:
    """Return the default alarm point with changes."""
    return default_points(furnace_id)[0].model_copy(update=changes)


def novelty_point(furnace_id: str = FURNACE, **setpoint: Any) -> AlarmPoint:
    """Return the built-in alarm point on the portrait with thresholds, 3 and 2.5 unless given."""
    shared = dict(built_in()["novelty"] or {})
    levels = {"novelty_on": 3.0, "novelty_off": 2.5} | setpoint
    shared["setpoint"] = {**shared["setpoint"], **levels}
    entry = derived({**shared, OF_CLASS: "novelty"}, furnace_id)
    return check_point(AlarmPoint.model_validate(entry))


def setpoint(**changes: Any) -> Setpoint:
    """Return thresholds 2 and 0, three windows to raise, six to clear, with changes."""
    values = {"logit_on": 2.0, "logit_off": 0.0, "on_delay_s": 4.32, "off_delay_s": 8.64}
    return Setpoint(**(values | changes))


def score_record(made: WindowScore, offset: int, prefix: str = PREFIX) -> RawRecord:
    """Return a score as it stands in partition 0."""
    return RawRecord(
        topic=Topic.SCORES.under(prefix),
        partition=0,
        offset=offset,
        timestamp_ms=made.window_end_ns // 1_000_000,
        key=made.furnace_id.encode(),
        value=encode_score(made),
        headers=tuple(headers_for(SCORE_SCHEMA)),
    )


def json_record(
    topic: Topic, message: KeyedMessage, key: str, offset: int = 0, prefix: str = PREFIX
) -> RawRecord:
    """Return a JSON message as it stands in partition 0."""
    return RawRecord(
        topic=topic.under(prefix),
        partition=0,
        offset=offset,
        timestamp_ms=0,
        key=key.encode(),
        value=message.to_json(),
        headers=tuple(headers_for(message.schema_id, JSON)),
    )


def command_fields(command: Command | str, event_id: str | None = None, **changes: Any) -> Any:
    """Return a command of an operator as JSON fields."""
    return {
        "command_id": str(uuid4()),
        "alarm_id": ALARM_ID,
        "command": str(command),
        "expected_event_id": event_id,
        "user": "li.wei",
        "role": "operator",
        "comment": "seen",
        "arguments": {},
        "issued_at": "2026-03-01T03:00:00.000000Z",
    } | changes


def command_record(
    fields: Any, offset: int = 0, key: str = ALARM_ID, prefix: str = PREFIX
) -> RawRecord:
    """Return a command as it stands in the topic."""
    return RawRecord(
        topic=Topic.ALARM_COMMANDS.under(prefix),
        partition=0,
        offset=offset,
        timestamp_ms=0,
        key=key.encode(),
        value=json.dumps(fields).encode(),
        headers=tuple(headers_for("alarm-command/1.0", JSON)),
    )
