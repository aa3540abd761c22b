"""W3C trace context: one trace follows a frame from the camera to the alarm (``traceparent``).

Kafka headers carry it; log lines name its trace id.
"""

import secrets
from typing import Final

from meltwatch_schemas.trace_ids import TRACEPARENT, TraceIds, ids_of

__all__ = ["TRACEPARENT", "begin_trace", "continue_trace", "trace_id"]
_SAMPLED: Final = "01"


def begin_trace() -> str:
    """Return the context of a new trace, to be recorded."""
    return TraceIds(secrets.token_hex(16), secrets.token_hex(8), _SAMPLED).context


def continue_trace(parent: str | None) -> str | None:
    """Return the context of a next step in a trace; None if there is no valid one to continue."""
    found = ids_of(parent)
    return found and found._replace(span_id=secrets.token_hex(8)).context


def trace_id(context: str | None) -> str | None:
    """Return the trace that a context belongs to, 32 hex digits; None if it is not valid."""
    found = ids_of(context)
    return found and found.trace_id
