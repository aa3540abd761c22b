"""What windows, alarms and the Redis view must look like."""

import json
import math
from itertools import pairwise
from typing import Any

import msgpack
import redis
from broker import LIMIT_S, Broker, Report
from contract import HOP_NS, MS, SPEC_ID, Furnace, partition_of, phase_ns, window_id

WINDOW_FIELDS = {
    "furnace_id", "window_end_ns", "window_id", "spec_id", "status", "modalities",
    "video_coverage", "current_coverage", "logit", "probability", "member_logits", "disagreement",
    "anomaly_map", "features", "model", "encoder_id", "sources", "reasons", "times", "inputs",
}  # fmt: skip
ALARM_FIELDS = {
    "spec", "alarm_id", "occurrence_id", "event_id", "epoch", "seq", "transition", "state",
    "active", "acked", "latched", "suppressed", "retain", "priority", "severity", "title",
    "message", "equipment_path", "class", "condition_time", "quality", "quality_reasons",
    "evidence", "model", "config_rev", "guidance", "times", "count_24h", "mode",
}  # fmt: skip


def check_windows(
    report: Report, broker: Broker, furnace: Furnace, written: dict[str, list[Any]]
) -> None:
    """Check all windows of our furnace that have come so far."""
    records = broker.of("scores", furnace.furnace_id)
    windows = [msgpack.unpackb(record.value) for record in records]
    report.none("windows have all fields", [w for w in windows if WINDOW_FIELDS - w.keys()])
    _check_envelopes(report, broker, furnace, records, windows)
    _check_numbers(report, furnace, windows)
    check_statuses(report, furnace, windows)
    statuses = {window["status"] for window in windows}
    report.equal("there are windows of each status", statuses, {"unscored", "degraded", "scored"})
    report.none("verdicts are consistent", [f for w in windows for f in _faults_of_verdict(w)])
    report.none("times ascend", [f for w in windows for f in _faults_of_times(w)])
    _check_cuts(report, broker, windows, written)
    names = {"video": "stranger-camera", "current": "stranger-meter"}
    last = windows[-1] if windows else {}
    report.equal("the sources are ours", last.get("sources"), names)
    report.equal("the furnace is unregistered", last.get("unregistered"), True)
    model = last.get("model", {})
    report.equal("the model says who it is", sorted(model), ["digest", "name", "version"])


def _check_envelopes(
    report: Report, broker: Broker, furnace: Furnace, records: list[Any], windows: list[Any]
) -> None:
    typed = {"schema": b"score/1.", "content-type": b"application/msgpack"}
    wrong = [
        record.headers
        for record in records
        if not all(dict(record.headers).get(k, b"").startswith(v) for k, v in typed.items())
    ]
    report.none("windows carry schema and content type", wrong)
    partition = partition_of(furnace.key, broker.partitions["scores"])
    found = {record.partition for record in records}
    report.equal("windows lie in the partition of murmur2", found, {partition})
    pairs = zip(records, windows, strict=True)
    off = [r.timestamp for r, w in pairs if r.timestamp != w["window_end_ns"] // MS]
    report.none("record timestamps are window ends", off)


def _check_numbers(report: Report, furnace: Furnace, windows: list[Any]) -> None:
    ends = [window["window_end_ns"] for window in windows]
    phase = phase_ns(furnace.furnace_id)
    earliest = min(furnace.first_frame_ns, furnace.first_sample_ns)
    first = earliest + HOP_NS - (earliest - phase) % HOP_NS
    found = ends[0] if ends else None
    report.equal("the first window is the first after the earliest event", found, first)
    gaps = [after - before for before, after in pairwise(ends)]
    report.none("every window number comes once, in order", [g for g in gaps if g != HOP_NS])
    ids = [w for w in windows if w["window_id"] != window_id(w["furnace_id"], w["window_end_ns"])]
    report.none("window ids are those of the contract", ids)
    report.none(
        "spec ids are those of the contract", [w for w in windows if w["spec_id"] != SPEC_ID]
    )


def check_statuses(report: Report, furnace: Furnace, windows: list[Any]) -> None:
    """Check that windows have what we sent, and nothing of what was refused or late."""
    wrong = []
    for window in windows:
        video, current = furnace.coverages(window["window_end_ns"])
        have = [m for m, ok in (("video", video >= 0.9), ("current", current >= 0.95)) if ok]
        status = ("unscored", "degraded", "scored")[len(have)]
        expected = (status, have, round(video, 6), round(current, 6))
        found = (
            window["status"],
            window["modalities"],
            round(window["video_coverage"], 6),
            round(window["current_coverage"], 6),
        )
        if found != expected:
            wrong.append(f"{window['window_end_ns']}: expected {expected}, got {found}")
    report.none("statuses and coverages are those of what we sent", wrong)


def _faults_of_verdict(window: dict[str, Any]) -> list[str]:
    names = ("logit", "probability", "member_logits", "disagreement")
    if window["status"] == "unscored":
        return [name for name in (*names, "anomaly_map") if window[name] is not None]
    logit, probability, members = (window[name] for name in names[:3])
    mean = sum(members) / len(members)
    spread = math.sqrt(sum((m - mean) ** 2 for m in members) / len(members))
    picture = window["anomaly_map"]
    truths = {
        "probability": abs(probability - 1 / (1 + math.exp(-logit))) < 1e-4,
        "disagreement": abs(window["disagreement"] - spread) < 0.02 * max(1, spread)
        or len(members) < 2,
        "anomaly_map": (picture is None) == (probability < 0.2)
        and (picture is None or len(picture) == 4096),
        "encoder_id": (window["encoder_id"] is None) == ("video" not in window["modalities"]),
    }
    return [f"{name} of {window['window_end_ns']}" for name, holds in truths.items() if not holds]


def _faults_of_times(window: dict[str, Any]) -> list[str]:
    times = window["times"]
    steps = [window["window_end_ns"], times["last_event_ns"]]
    later = [times["joined_ns"], times["scored_ns"] or times["joined_ns"], times["published_ns"]]
    holds = steps == sorted(steps) and later == sorted(later)
    holds &= (times["scored_ns"] is None) == (window["status"] == "unscored")
    return [] if holds else [f"{window['window_end_ns']}: {times}"]


def _check_cuts(
    report: Report, broker: Broker, windows: list[Any], written: dict[str, list[Any]]
) -> None:
    """Cuts name the records that we wrote, where Kafka put them."""
    for kind, futures in written.items():
        topic = broker.topic(f"{kind}s")
        places = [future.get(timeout=LIMIT_S) for future in futures]
        offsets, partition = {place.offset for place in places}, places[0].partition
        cuts = [window["inputs"].get(topic) for window in windows]
        told = [cut for cut in cuts if cut and cut[2] is not None]
        wrong = [
            cut
            for cut in told
            if cut[0] != partition or cut[2] not in offsets or not cut[1] <= cut[2] + 1
        ]
        report.none(f"cuts of {kind}s name our records", wrong)
        falling = [cut for cut, after in pairwise(told) if after[2] < cut[2]]
        report.none(f"cuts of {kind}s never go back", falling)
        report.none(
            f"windows name both topics: {kind}s", [w for w in windows if topic not in w["inputs"]]
        )


def check_alarm(report: Report, records: list[Any], alarm_id: str) -> dict[str, Any]:
    """Check the records of our alarm and give the newest."""
    messages = [json.loads(record.value) for record in records]
    first, last = messages[0], messages[-1]
    report.equal("alarms have all fields", ALARM_FIELDS - last.keys(), set())
    typed = dict(records[0].headers)
    report.equal("alarms are JSON", typed.get("content-type"), b"application/json")
    report.equal("alarms carry their schema", typed.get("schema", b"")[:8], b"alarm/1.")
    change = (first["transition"]["from"], first["transition"]["to"], first["state"])
    report.equal("the alarm is raised", change, ("NORM", "UNACK", "UNACK"))
    order = [(message["epoch"], message["seq"]) for message in messages]
    report.check("(epoch, seq) ascends", None if sorted(set(order)) == order else order)
    shown = (last["alarm_id"], last["priority"], last["severity"] in range(1, 1001), last["active"])
    report.equal("the alarm is ours", shown, (alarm_id, "low", True, True))
    report.equal("the point's revision is used", last["config_rev"], "stranger-1")
    return dict(last)


def check_redis(
    report: Report,
    status: dict[str, Any],
    alarm_id: str,
    record: dict[str, Any],
    expected: dict[str, bool],
) -> None:
    """Check that the Redis view shows an alarm record."""
    view = redis.Redis.from_url(status["redis"], decode_responses=True)
    prefix, furnace_id = status["topic_prefix"], alarm_id.rpartition("/")[0]
    held = view.hgetall(f"{prefix}:alarm:{alarm_id}")
    shown = (held.get("state"), held.get("epoch"), held.get("seq"), held.get("priority"))
    told = (record["state"], str(record["epoch"]), str(record["seq"]), record["priority"])
    report.equal("Redis shows the alarm", shown, told)
    same = json.loads(held.get("record", "null")) == record
    report.equal("Redis holds the record of the topic", same, True)
    unacked = bool(view.sismember(f"{prefix}:unacked", alarm_id))
    report.equal("Redis tells unacknowledged alarms", unacked, expected["unacked"])
    active = view.zscore(f"{prefix}:active", alarm_id)
    report.check("Redis lists the alarm as active", None if active is not None else "no score")
    known = bool(view.sismember(f"{prefix}:furnaces", furnace_id))
    report.equal("Redis knows the furnace", known, True)
    fields = {"window_end", "probability", "logit", "status", "video_coverage", "model"}
    missing = fields - view.hgetall(f"{prefix}:furnace:{furnace_id}").keys()
    report.equal("Redis shows the furnace", missing, set())
    view.close()
