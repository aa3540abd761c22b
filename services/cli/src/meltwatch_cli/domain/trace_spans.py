"""From scores and alarms to the spans of their traces: when each passed which step.

The ids are those of the records' W3C trace context. What a record lacks is made from it, so that
a span that is made again has the same id.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.instants import ns_from_utc, rfc3339, utc_from_ns
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.trace_ids import TraceIds

Value = str | int | float | bool
_ID_DIGITS: Final = 16
_LAST_64_BITS: Final = 2**64
_BY_SCORES: Final = frozenset({"RAISE", "CLEAR"})


@dataclass(frozen=True, slots=True)
class TraceSpan:
    """A step of a trace.

    Attributes
    ----------
    name
        What was done.
    trace_id, span_id, parent_id
        32 and 16 hex digits; no parent for the first step.
    start_ns, end_ns
        Wall clock, ns UTC; the end is never before the start.
    attributes
        What else is known, by OpenTelemetry's names where it has any.
    """

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Value]


def is_chosen(ids: TraceIds, share: float) -> bool:
    """Tell whether a trace belongs to a share of all traces: the same ones for scores and alarms.

    Parameters
    ----------
    ids
        Of the trace.
    share
        0..1.
    """
    return int(ids.trace_id, 16) % _LAST_64_BITS < share * _LAST_64_BITS


def spans_of_score(score: WindowScore, ids: TraceIds) -> list[TraceSpan]:
    """Return the steps of a window: all of its way, joining, scoring and publishing.

    Parameters
    ----------
    score
        As it was published.
    ids
        Of its record.
    """
    times = score.times
    told: dict[str, Value | None] = {
        "meltwatch.furnace_id": score.furnace_id,
        "meltwatch.window_id": score.window_id,
        "meltwatch.window_end": rfc3339(utc_from_ns(score.window_end_ns)),
        "meltwatch.status": score.status.value,
        "meltwatch.reasons": ", ".join(score.reasons),
        "meltwatch.probability": score.probability,
        "meltwatch.model_digest": score.model.digest,
    }
    steps = {"join": times.joined_ns, "score": times.scored_ns, "publish": times.published_ns}
    # Its records may come from a machine whose clock is ahead.
    begin_ns = at_ns = min(times.last_ingest_ns, times.joined_ns)
    way = [_span("window", ids, ids.span_id, None, (begin_ns, times.published_ns), told)]
    for name, end_ns in steps.items():
        if end_ns is not None:
            way.append(_child(name, ids, (at_ns, end_ns), {}))
            at_ns = max(at_ns, end_ns)
    return way


def spans_of_alarm(alarm: AlarmRecord, ids: TraceIds) -> list[TraceSpan]:
    """Return the step from a window's score to the raise or clear that it made.

    What people do with an alarm later is no step of the window: nothing is returned.

    Parameters
    ----------
    alarm
        As it was published.
    ids
        Of the score that changed it.
    """
    if alarm.transition.cause not in _BY_SCORES:
        return []
    times = alarm.times
    end_ns = ns_from_utc(times.published)
    start_ns = ns_from_utc(times.scored or times.ingest)
    told: dict[str, Value | None] = {
        "meltwatch.alarm_id": alarm.alarm_id,
        "meltwatch.event_id": alarm.event_id,
        "meltwatch.transition": alarm.transition.cause,
        "meltwatch.state": alarm.state.value,
    }
    return [_child(f"alarm {alarm.event_id}", ids, (start_ns, end_ns), told, shown="alarm")]


def _child(
    name: str,
    ids: TraceIds,
    period: tuple[int, int],
    told: Mapping[str, Value | None],
    shown: str | None = None,
) -> TraceSpan:
    span_id = hashlib.sha256(f"{ids.context}{name}".encode()).hexdigest()[:_ID_DIGITS]
    return _span(shown or name, ids, span_id, ids.span_id, period, told)


def _span(
    name: str,
    ids: TraceIds,
    span_id: str,
    parent_id: str | None,
    period: tuple[int, int],
    told: Mapping[str, Value | None],
) -> TraceSpan:
    start_ns, end_ns = period
    attributes = {key: value for key, value in told.items() if value is not None}
    return TraceSpan(
        name, ids.trace_id, span_id, parent_id, start_ns, max(start_ns, end_ns), attributes
    )
