"""Valid messages with one or two things changed: ``embedding_chunk(source_id="other")``.

Every builder takes keyword arguments for what a test cares about and fills in the rest.
"""

from typing import Any

import numpy as np
from meltwatch_schemas.alarm import SEVERITY, AlarmRecord, Priority
from meltwatch_schemas.alarm_command import AlarmCommand
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.novelty import FollowedLevels, Novelty
from meltwatch_schemas.portrait import SHAPES, PackedMode, PackedSide, PackedTail, Portrait
from meltwatch_schemas.record import MSGPACK, RawRecord
from meltwatch_schemas.score import (
    Cut,
    Features,
    Modality,
    ModelIdentity,
    ScoreStatus,
    ScoreTimes,
    Sources,
    WindowScore,
)
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC

FURNACE = "dashiqiao/smelting-1/FMF-03"
ALARM = f"{FURNACE}/OVERHEAT"
BOOT = "0123456789abcdef"
NOON_NS = 1_750_000_000_000_000_000
"""An instant in June 2025, for tests that need no other."""

_UNSET: Any = object()


def identity(**changes: Any) -> ChunkIdentity:
    """Build who sent a chunk."""
    fields: dict[str, Any] = {
        "furnace_id": FURNACE,
        "source_id": "camera-1",
        "boot_id": BOOT,
        "seq": 0,
        "ingest_time_ns": NOON_NS + 50 * NS_PER_MS,
    }
    return ChunkIdentity(**fields | changes)


def frames(count: int = 1, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Build random pictures, uint8 ``(count, 64, 64, 3)``."""
    return np.random.default_rng(seed).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


def embedding_chunk(
    event_times_ns: Any = (NOON_NS,), data: Any = None, encoder_id: str = "", **changes: Any
) -> EmbeddingChunk:
    """Build a chunk of one random frame, or of as many as there are event times."""
    encoder = default_encoder()
    times = np.asarray(event_times_ns, dtype=np.int64)
    changes.setdefault("ingest_time_ns", int(times[-1]) + 50 * NS_PER_MS)
    rows = encoder.encode(frames(len(times))) if data is None else data
    return EmbeddingChunk(identity(**changes), times, encoder_id or encoder.encoder_id, rows)


def current_chunk(
    event_time_ns: int = NOON_NS, data: Any = None, period_ns: int = 500 * NS_PER_MS, **changes: Any
) -> CurrentChunk:
    """Build a chunk of two samples, or of as many as there are rows of data."""
    default = [[10_000.0, 10_100.0, 9_900.0], [10_010.0, 10_090.0, 9_910.0]]
    rows = np.asarray(default if data is None else data, dtype=np.float32)
    last_ns = event_time_ns + (len(rows) - 1) * period_ns
    fields = {"source_id": "meter-1", "ingest_time_ns": last_ns + 50 * NS_PER_MS}
    return CurrentChunk(identity(**fields | changes), event_time_ns, period_ns, rows)


def window_score(
    window_end_ns: int = 0, furnace_id: str = FURNACE, logit: Any = -3.0, **changes: Any
) -> WindowScore:
    """Build a scored window; without a window end, the first one after ``NOON_NS``.

    ``logit=None`` gives an unscored one.
    """
    end_ns = window_end_ns or PUBLISHED_SPEC.first_end_after(furnace_id, NOON_NS)
    scored = logit is not None
    fields: dict[str, Any] = {
        "furnace_id": furnace_id,
        "window_end_ns": end_ns,
        "window_id": PUBLISHED_SPEC.window_id(furnace_id, end_ns),
        "spec_id": PUBLISHED_SPEC.spec_id,
        "status": ScoreStatus.SCORED if scored else ScoreStatus.UNSCORED,
        "modalities": (Modality.VIDEO, Modality.CURRENT),
        "video_coverage": 1.0,
        "current_coverage": 1.0,
        "logit": logit,
        "probability": float(1 / (1 + np.exp(-logit))) if scored else None,
        "member_logits": (logit - 0.1, logit + 0.1) if scored else None,
        "disagreement": 0.1 if scored else None,
        "anomaly_map": None,
        "features": Features((1e4, 1e4, 1e4), (10.0, 10.0, 10.0), 0.01, 90.0, 1.5),
        "model": ModelIdentity("fmformer", "1", "0" * 64),
        "encoder_id": default_encoder().encoder_id,
        "sources": Sources("camera-1", "meter-1"),
        "reasons": () if scored else ("model_unavailable",),
        "times": score_times(end_ns, scored=scored),
        "inputs": {
            "meltwatch.embeddings.v1": Cut(3, 100, 110),
            "meltwatch.currents.v1": Cut(3, 200, 320),
        },
    }
    return WindowScore(**fields | changes)


def novelty(**changes: Any) -> Novelty:
    """Build what a score says of a furnace that is as usual."""
    fields: dict[str, Any] = {
        "portrait": "a" * 64,
        "video": 0.5,
        "current": 0.25,
        "peak": (2, 5),
        "followed_video": FollowedLevels(NOON_NS, np.full(64, 3.25, np.float16)),
        "followed_current": FollowedLevels(NOON_NS, np.full(1, 3.5, np.float16)),
        "unusual": 0b101,
    }
    return Novelty(**fields | changes)


def portrait(*of: Modality, **changes: Any) -> Portrait:
    """Build a portrait of both sides or of some, its laws drawn at random."""
    fields: dict[str, Any] = {
        "furnace_id": FURNACE,
        "encoder_id": default_encoder().encoder_id,
        "spec_id": PUBLISHED_SPEC.spec_id,
        "made_at_ns": NOON_NS,
        "from_ns": NOON_NS - 24 * 3600 * NS_PER_S,
        "until_ns": NOON_NS,
        "windows": 8_000,
        "left_out": {"alarm": 120, "logit": 7},
        "sides": {modality: packed_side(modality) for modality in of or SHAPES},
    }
    return Portrait(**fields | changes)


def packed_side(modality: Modality, modes: int = 1, **changes: Any) -> PackedSide:
    """Build one side of a portrait."""
    draws = np.random.default_rng(modes)
    places, numbers = SHAPES[modality]
    laws = tuple(
        PackedMode(
            draws.normal(size=(places, numbers)).astype(np.float32),
            np.full(places, -3, np.int16),
            draws.normal(size=(places, numbers * (numbers + 1) // 2)).astype(np.float16),
        )
        for _ in range(modes)
    )
    fields: dict[str, Any] = {
        "modes": laws,
        "median": np.full(places, 3.0, np.float32),
        "rise_per_s": 0.25,
        "reached": np.linspace(3.0, 4.0, 9, dtype=np.float32),
        "tail": PackedTail(4.0, 0.125, 0.25, 0.15),
    }
    return PackedSide(**fields | changes)


def score_times(window_end_ns: int, *, scored: bool = True) -> ScoreTimes:
    """Build the times of a window that took 300 ms from its end to Kafka."""
    joined_ns = window_end_ns + 200 * NS_PER_MS
    return ScoreTimes(
        last_event_ns=window_end_ns + 100 * NS_PER_MS,
        last_ingest_ns=window_end_ns + 150 * NS_PER_MS,
        joined_ns=joined_ns,
        scored_ns=joined_ns + 50 * NS_PER_MS if scored else None,
        published_ns=joined_ns + 100 * NS_PER_MS,
    )


def alarm_point(alarm_id: str = ALARM, **changes: Any) -> AlarmPoint:
    """Build a line of the master alarm list."""
    furnace_id, _, condition = alarm_id.rpartition("/")
    fields: dict[str, Any] = {
        "alarm_id": alarm_id,
        "equipment_path": furnace_id,
        "title": "Furnace shell overheats",
        "condition": condition,
        "priority": Priority.HIGH,
        "consequence_if_no_action": "The shell burns through.",
        "operator_action": "Lower the electrode current and inspect the shell.",
        "time_to_respond_s": 300,
        "setpoint": {"logit_on": 2.0, "logit_off": 0.0, "on_delay_s": 4.32, "off_delay_s": 8.64},
    }
    return AlarmPoint.model_validate(fields | changes)


def alarm_record(alarm_id: str = ALARM, seq: int = 1, **changes: Any) -> AlarmRecord:
    """Build the record of a raise."""
    furnace_id, _, _ = alarm_id.rpartition("/")
    raised = utc_from_ns(NOON_NS)
    fields: dict[str, Any] = {
        "alarm_id": alarm_id,
        "occurrence_id": "5f2b6c1e-0d0a-5c8e-9a55-0c6a6e0b7f11",
        "event_id": f"{seq:032x}",
        "epoch": 1,
        "seq": seq,
        "transition": {"from": "NORM", "to": "UNACK", "cause": "RAISE"},
        "state": "UNACK",
        "active": True,
        "acked": False,
        "latched": False,
        "suppressed": [],
        "retain": True,
        "priority": Priority.HIGH,
        "severity": SEVERITY[Priority.HIGH],
        "title": "Furnace shell overheats",
        "message": "Anomaly score 3.1 at or above 2.0 for 4.3 s.",
        "equipment_path": furnace_id,
        "class": "process",
        "condition_time": raised,
        "raise_time": raised,
        "quality": "good",
        "quality_reasons": [],
        "evidence": {
            "score": 3.1,
            "threshold": 2.0,
            "threshold_off": 0.0,
            "window_start": raised,
            "window_end": raised,
            "members": [3.0, 3.2],
            "disagreement": 0.1,
        },
        "model": {"name": "fmformer", "version": "1", "digest": "0" * 64},
        "config_rev": "default",
        "guidance": {
            "consequence": "The shell burns through.",
            "action": "Lower the electrode current.",
            "time_to_respond_s": 300,
        },
        "times": dict.fromkeys(("event", "watermark", "ingest", "scored", "published"), raised),
        "count_24h": 1,
        "mode": "alarm",
    }
    return AlarmRecord.model_validate(fields | changes)


def alarm_command(command: str = "ack", alarm_id: str = ALARM, **changes: Any) -> AlarmCommand:
    """Build a command of an operator."""
    fields: dict[str, Any] = {
        "command_id": "0d5e3b1c-4a63-4a0b-9d7a-7e6b0a4c1f22",
        "alarm_id": alarm_id,
        "command": command,
        "expected_event_id": f"{1:032x}",
        "user": "operator-1",
        "role": "operator",
        "issued_at": utc_from_ns(NOON_NS),
    }
    return AlarmCommand.model_validate(fields | changes)


def raw_record(
    value: bytes | None,
    schema: str = "embedding/1.0",
    key: Any = _UNSET,
    headers: Any = _UNSET,
    **changes: Any,
) -> RawRecord:
    """Build a Kafka record around a value, as msgpack under ``FURNACE`` unless told otherwise."""
    fields: dict[str, Any] = {
        "topic": "meltwatch.embeddings.v1",
        "partition": 3,
        "offset": 42,
        "timestamp_ms": NOON_NS // NS_PER_MS,
        "key": FURNACE.encode() if key is _UNSET else key,
        "value": value,
        "headers": (("schema", schema.encode()), ("content-type", MSGPACK.encode()))
        if headers is _UNSET
        else tuple(headers),
    }
    return RawRecord(**fields | changes)
