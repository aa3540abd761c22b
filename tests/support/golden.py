"""Frozen bytes that every later version must still read: ``python -m tests.support.golden``.

Writes what is missing under ``schemas/golden`` and never touches a file that is there: a golden is
the promise of a released version, so a change of the codec may only add to them.

``<topic>/v1/<name>.msgpack|json`` is a record value; ``malformed/<topic>/<name>.bin`` is one that
must be refused, with the reason in ``malformed/reasons.json``.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from meltwatch_schemas.alarm import Heartbeat, NoveltyEvidence
from meltwatch_schemas.alarm_command import CommandResult, ResultCode
from meltwatch_schemas.alarm_point import PointChange, PreparedSetpoint, Setpoint
from meltwatch_schemas.chunk import Sync
from meltwatch_schemas.current import encode_current
from meltwatch_schemas.embedding import encode_embedding
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.novelty import Novelty
from meltwatch_schemas.outside import AlarmReceipt, FurnaceState, FurnaceStateWord
from meltwatch_schemas.portrait import encode_portrait
from meltwatch_schemas.score import (
    Features,
    Modality,
    ScoreStatus,
    Sources,
    SourceState,
    encode_score,
)
from meltwatch_schemas.score_topics import GapCause, HistoryGap, NewestFrame
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

from tests.support.builders import (
    ALARM,
    BOOT,
    FURNACE,
    NOON_NS,
    alarm_command,
    alarm_point,
    alarm_record,
    current_chunk,
    embedding_chunk,
    novelty,
    portrait,
    window_score,
)
from tests.support.hostile_wire import hostile_records

TOPIC_IDS = {
    "meltwatch.embeddings.v1": "ZeADVuNKTF-2PhVLKf-UeQ",
    "meltwatch.currents.v1": "YxZQ1kfpRVyWqF5Ao-Qadg",
}
GOLDEN = Path(__file__).parents[2] / "schemas" / "golden"
MALFORMED = GOLDEN / "malformed"
REASONS = MALFORMED / "reasons.json"
SPOILT = (
    "boot_id_short", "bytes_that_claim_4_billion", "count_0", "count_65", "data_empty",
    "data_is_list", "data_missing", "data_short", "empty_level", "first_byte_only", "future",
    "infinity", "infinity_and_future", "integer_keys", "json", "list", "minus_infinity",
    "period_0", "reserved_byte", "seq_is_boolean", "seq_is_real", "seq_missing", "text_not_utf8",
    "trailing_byte", "truncated",
)  # fmt: skip
"""Records of the hostile corpus whose values are frozen."""

LARGEST = 4096
"""Bytes: whole frames stay in the corpus alone, they would weigh megabytes in the repository."""


def values() -> Iterator[tuple[str, bytes]]:
    """Give the path of each golden, below ``GOLDEN``, with its bytes."""
    yield from _of_inputs()
    yield from _of_scores()
    yield from _of_portraits()
    yield from _of_alarms()


def _of_inputs() -> Iterator[tuple[str, bytes]]:
    sync = Sync("ptp", 100_000)
    two = [NOON_NS, NOON_NS + 40 * NS_PER_MS]
    yield _packed(Topic.EMBEDDINGS, "one-frame", encode_embedding(embedding_chunk()))
    every = embedding_chunk(event_times_ns=two, sync=sync, run_id="night-shift", seq=41)
    yield _packed(Topic.EMBEDDINGS, "two-frames-every-field", encode_embedding(every))
    yield _packed(Topic.CURRENTS, "two-samples", encode_current(current_chunk()))
    lost = [[10_000.0, np.nan, 9_900.0]]
    every_field = current_chunk(data=lost, sync=sync, run_id="night-shift", seq=41)
    yield _packed(Topic.CURRENTS, "phase-lost-every-field", encode_current(every_field))


def _of_scores() -> Iterator[tuple[str, bytes]]:
    picture = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    scored = window_score(logit=2.5, anomaly_map=picture, unregistered=True, run_id="night-shift")
    degraded = window_score(
        status=ScoreStatus.DEGRADED,
        modalities=(Modality.CURRENT,),
        video_coverage=0.3,
        encoder_id=None,
        features=Features((1e4, 1e4, 1e4), (10.0, 10.0, 10.0), 0.01),
        sources=Sources(None, "meter-1"),
        reasons=("video_unavailable",),
    )
    yield _packed(Topic.SCORES, "scored-every-field", encode_score(scored))
    yield _packed(Topic.SCORES, "degraded-without-video", encode_score(degraded))
    yield _packed(Topic.SCORES, "unscored", encode_score(window_score(logit=None)))
    video, current = (
        SourceState(
            proven=proven,
            boot_id=BOOT,
            seq=120,
            event_ns=NOON_NS,
            ingest_ns=NOON_NS + 50 * NS_PER_MS,
            standing_since_ns=NOON_NS,
            stepped_from_ns=stepped_ns,
        )
        for proven, stepped_ns in ((True, None), (False, NOON_NS - 5 * NS_PER_S))
    )
    watched = window_score(
        reasons=("frozen_video", "clock_step_current"),
        source_states={Modality.VIDEO: video, Modality.CURRENT: current},
    )
    yield _packed(Topic.SCORES, "with-source-states", encode_score(watched))
    begun = video._replace(begun_ns=NOON_NS - 3 * NS_PER_S)
    young = window_score(
        reasons=("low_video_coverage", "late_current"), source_states={Modality.VIDEO: begun}
    )
    yield _packed(Topic.SCORES, "with-a-source-that-began", encode_score(young))
    gaps = {
        "meltwatch.embeddings.v1": HistoryGap(GapCause.MOVED, 1234),
        "meltwatch.currents.v1": HistoryGap(GapCause.REPLACED, None),
    }
    yield _packed(
        Topic.SCORES, "behind-gaps", encode_score(window_score(topic_ids=TOPIC_IDS, gaps=gaps))
    )
    frames = (NewestFrame(108, NOON_NS), NewestFrame(109, NOON_NS + 720 * NS_PER_MS))
    yield _packed(Topic.SCORES, "with-newest-frames", encode_score(window_score(frames=frames)))
    unlike = window_score(reasons=("portrait_stale",), novelty=novelty(video=3.5))
    yield _packed(Topic.SCORES, "unlike-its-portrait", encode_score(unlike))
    young = window_score(
        novelty=Novelty(portrait="b" * 64, current=0.5, followed_current=novelty().followed_current)
    )
    yield _packed(Topic.SCORES, "compared-without-video", encode_score(young))


def _of_portraits() -> Iterator[tuple[str, bytes]]:
    currents = portrait(Modality.CURRENT)
    yield _packed(Topic.PORTRAITS, "of-the-currents", encode_portrait(currents))
    yield _packed(Topic.PORTRAITS, "of-both", encode_portrait(portrait()))


def _of_alarms() -> Iterator[tuple[str, bytes]]:
    at = utc_from_ns(NOON_NS)
    result = CommandResult(
        command_id="0d5e3b1c-4a63-4a0b-9d7a-7e6b0a4c1f22",
        alarm_id=ALARM,
        result="done",
        code=ResultCode.OK,
        detail="",
        event_id=f"{2:032x}",
        at=at,
    )
    receipt = AlarmReceipt(
        alarm_id=ALARM, event_id=f"{1:032x}", adapter="opcua", delivered_at=at, status="delivered"
    )
    heartbeat = Heartbeat(service="alarm_manager", epoch=3, seq=9, active_alarms=1, at=at)
    state = FurnaceState(state=FurnaceStateWord.TAPPING, since=at, by="mes")
    yield _json(Topic.ALARM_POINTS, "defaults", alarm_point().to_json())
    yield _json(Topic.ALARMS, "raised", alarm_record().to_json())
    remark = {"from": "UNACK", "to": "UNACK", "cause": "COMMENT", "by": "li.wei"}
    remarked = alarm_record(seq=2, transition=remark, annunciation_id=f"{1:032x}")
    yield _json(Topic.ALARMS, "remarked-with-annunciation", remarked.to_json())
    told = alarm_record(
        audible=False,
        causes=["lining worn"],
        display_url="https://example.com/F-1",
        time_zone="Asia/Shanghai",
        language="zh-CN",
    )
    yield _json(Topic.ALARMS, "told", told.to_json())
    seen = NoveltyEvidence(portrait="a" * 64, video=4.25, current=0.5, row=1, column=2)
    levels = {"novelty": seen, "novelty_on": 3.0, "novelty_off": 2.5}
    without = {"score": None, "probability": None, "members": None, "disagreement": None}
    compared = alarm_record().evidence.model_copy(update=levels | without)
    unlike = alarm_record(mode="advisory", priority="low", evidence=compared)
    yield _json(Topic.ALARMS, "unlike-its-portrait", unlike.to_json())
    on_portrait = alarm_point().setpoint.model_copy(update={"novelty_on": 3.0, "novelty_off": 2.5})
    portrayed = {"alarm_id": f"{FURNACE}/NOVELTY", "condition": "NOVELTY", "setpoint": on_portrait}
    yield _json(Topic.ALARM_POINTS, "novelty", alarm_point().model_copy(update=portrayed).to_json())
    change = PointChange(by="li", why="new lining", at=at, old=alarm_point().setpoint)
    changed = alarm_point().model_copy(update={"alarm_class": "shell", "change": change})
    yield _json(Topic.ALARM_POINTS, "changed", changed.to_json())
    beside = PreparedSetpoint(
        setpoint=Setpoint(logit_on=3.1, logit_off=1.1, on_delay_s=4.32, off_delay_s=8.64),
        setpoint_basis="a week in shadow",
        setpoint_digest="f" * 64,
    )
    prepared = alarm_point().model_copy(update={"setpoint_digest": "0" * 64, "prepared": beside})
    yield _json(Topic.ALARM_POINTS, "prepared", prepared.to_json())
    judgement = {
        "verdict": "true_alarm",
        "cause": "arc",
        "by": "li.wei",
        "at": at,
        "missed": {"from": utc_from_ns(NOON_NS - 60 * NS_PER_S), "to": at},
    }
    said = {"from": "NORM", "to": "NORM", "cause": "JUDGE", "by": "li.wei", "via": "opcua"}
    judged = alarm_record(seq=3, transition=said, judgement=judgement)
    yield _json(Topic.ALARMS, "judged", judged.to_json())
    yield _json(Topic.ALARM_COMMANDS, "ack", alarm_command().to_json())
    through = alarm_command("decommission", via="cli", arguments={"reason": "torn down"})
    yield _json(Topic.ALARM_COMMANDS, "decommission-via-an-adapter", through.to_json())
    shelve = {"until": at, "by": "operator-1", "reason": "chattering", "one_shot": True}
    aside = alarm_record(state="SHLVD", suppressed=["shelved"], retain=False, shelve=shelve)
    yield _json(Topic.ALARMS, "shelved", aside.to_json())
    work = {"since": at, "by": "engineer-1", "reason": "new lining", "work_order": "WO-7"}
    out = {"state": "OOSRV", "suppressed": ["out_of_service", "shelved"], "out_of_service": work}
    gone = alarm_record(**out, retain=False, shelve=shelve, re_alarms=2)
    yield _json(Topic.ALARMS, "out-of-service", gone.to_json())
    order = {"duration_s": 3600.0, "one_shot": True, "reason": "chattering"}
    yield _json(Topic.ALARM_COMMANDS, "shelve", alarm_command("shelve", arguments=order).to_json())
    yield _json(Topic.ALARM_RESULTS, "done", result.to_json())
    yield _json(Topic.ALARM_RECEIPTS, "delivered", receipt.to_json())
    yield _json(Topic.HEARTBEATS, "alive", heartbeat.to_json())
    yield _json(Topic.FURNACE_STATES, "tapping", state.to_json())


def _packed(topic: Topic, name: str, value: bytes) -> tuple[str, bytes]:
    return f"{topic}/v1/{name}.msgpack", value


def _json(topic: Topic, name: str, value: bytes) -> tuple[str, bytes]:
    return f"{topic}/v1/{name}.json", value


def malformed_values() -> Iterator[tuple[str, bytes, str]]:
    """Give the path, below ``MALFORMED``, the bytes and the reason of each spoilt value."""
    for hostile in hostile_records(FURNACE, NOON_NS):
        if hostile.name in SPOILT and hostile.value and len(hostile.value) <= LARGEST:
            assert hostile.expected, f"{hostile.name}: expected a record that is refused"
            yield f"{hostile.topic}/{hostile.name}.bin", hostile.value, hostile.expected


def write_missing() -> int:
    """Write the goldens that are not there yet and return their number."""
    spoilt = list(malformed_values())
    made = {GOLDEN / path: value for path, value in values()}
    made |= {MALFORMED / path: value for path, value, _ in spoilt}
    missing = {path: value for path, value in made.items() if not path.exists()}
    for path, value in missing.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(value)
    if missing:
        known = json.loads(REASONS.read_text()) if REASONS.exists() else {}
        reasons = {path: reason for path, _, reason in spoilt} | known
        REASONS.write_text(json.dumps(reasons, indent=2, sort_keys=True) + "\n")
    return len(missing)


def main() -> int:
    """Write what is missing and say how much."""
    sys.stdout.write(f"goldens: {write_missing()} written, the others left as they are\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
