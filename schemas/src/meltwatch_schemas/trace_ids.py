"""What a W3C trace context says (``traceparent``): source, W3C Trace Context, section 3.2."""

import re
from typing import Final, NamedTuple

TRACEPARENT: Final = "traceparent"
"""The header's name."""
_FORM: Final = re.compile(
    r"00-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
)
_SAMPLED: Final = 1


class TraceIds(NamedTuple):
    """A trace and a step of it.

    Attributes
    ----------
    trace_id, span_id
        32 and 16 hex digits.
    flags
        Two hex digits.
    """

    trace_id: str
    span_id: str
    flags: str

    @property
    def is_sampled(self) -> bool:
        """Whether the trace is to be recorded."""
        return bool(int(self.flags, 16) & _SAMPLED)

    @property
    def context(self) -> str:
        """The context that says this."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def ids_of(context: str | None) -> TraceIds | None:
    """Return what a context says; None if it is not valid."""
    found = _FORM.fullmatch(context or "")
    return found and TraceIds(*found.groups())
