"""Alarms and scores placed in time: ``alarm_record(raised_s=35)`` is raised 35 s after noon."""

from datetime import UTC, datetime, timedelta
from typing import Any

from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.score import ScoreTimes, WindowScore

from tests.support import builders

FURNACE = "demo/smelting-1/FMF-01"
NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
SECOND_NS = 1_000_000_000


def alarm_record(
    alarm_id: str = f"{FURNACE}/OVERHEAT",
    state: str = "UNACK",
    *,
    raised_s: float = 0.0,
    published_after_s: float = 1.0,
    **changes: Any,
) -> AlarmRecord:
    """Build a record of an alarm raised ``raised_s`` seconds after noon, in whatever state."""
    raised = NOON + timedelta(seconds=raised_s)
    published = raised + timedelta(seconds=published_after_s)
    times = dict.fromkeys(("event", "watermark", "ingest"), raised)
    fields: dict[str, Any] = {
        "occurrence_id": f"00000000-0000-5000-8000-{round(raised_s * 1000):012d}",
        "transition": {"from": "NORM", "to": state, "cause": "RAISE"},
        "state": state,
        "active": state in ("UNACK", "ACKED"),
        "acked": state == "ACKED",
        "message": "The shell may be glowing.",
        "condition_time": raised - timedelta(seconds=4.32),
        "raise_time": raised,
        "times": {**times, "scored": published, "published": published},
    }
    return builders.alarm_record(alarm_id, **(fields | changes))


def window_score(
    furnace_id: str,
    window_end_ns: int,
    *,
    probability: float | None = 0.1,
    latency_s: float = 0.5,
    last_ingest_ns: int | None = None,
    **changes: Any,
) -> WindowScore:
    """Build a score that was published ``latency_s`` after the end of its window."""
    published_ns = window_end_ns + round(latency_s * SECOND_NS)
    fields: dict[str, Any] = {
        "logit": None if probability is None else 0.0,
        "probability": probability,
        "times": ScoreTimes(
            last_event_ns=window_end_ns,
            last_ingest_ns=window_end_ns if last_ingest_ns is None else last_ingest_ns,
            joined_ns=published_ns,
            scored_ns=None if probability is None else published_ns,
            published_ns=published_ns,
        ),
    }
    return builders.window_score(window_end_ns, furnace_id, **(fields | changes))
