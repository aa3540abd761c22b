"""W3C trace context: one trace follows a frame from the camera to the alarm (``traceparent``).

Source: W3C Trace Context, section 3.2. Kafka headers carry it; log lines name its trace id.
"""

import re
import secrets
from typing import Final

TRACEPARENT: Final = "traceparent"
_FORM: Final = re.compile(
    r"00-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<parent>(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
)
_SAMPLED: Final = "01"


def begin_trace() -> str:
    """Return the context of a new trace, to be recorded."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{_SAMPLED}"


def continue_trace(parent: str | None) -> str | None:
    """Return the context of a next step in a trace; None if there is no valid one to continue."""
    found = _FORM.fullmatch(parent or "")
    return found and f"00-{found['trace']}-{secrets.token_hex(8)}-{found['flags']}"


def trace_id(context: str | None) -> str | None:
    """Return the trace that a context belongs to, 32 hex digits; None if it is not valid."""
    found = _FORM.fullmatch(context or "")
    return found and found["trace"]
