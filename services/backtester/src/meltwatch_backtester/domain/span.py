"""The stretch of event time that is recorded or replayed, and what lies around it."""

from dataclasses import dataclass
from typing import Final

from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

IDLE_GAP_NS: Final = 5 * NS_PER_S
"""How much longer than the look-back a silent furnace is remembered (window rule 8)."""

WARM_UP_NS: Final = PUBLISHED_SPEC.lookback_ns + IDLE_GAP_NS + 10 * NS_PER_S
"""Of inputs, before a span: what its first windows rest on, and slack for records out of order."""

RUN_OUT_NS: Final = WARM_UP_NS
"""Of inputs, after a span: until then a furnace that fell silent in it is retired."""

RECALL_NS: Final = 15 * 60 * NS_PER_S
"""Of scores, before a span: what furnaces are restored from and running delays are recalled by."""

SETTLING_NS: Final = 3600 * NS_PER_S
"""Of scores and commands, after a span: those of a slow gateway may be written this late."""

COMMAND_SLACK_NS: Final = 60 * NS_PER_S
"""Of commands, before a span: they carry wall-clock time, not event time."""


@dataclass(frozen=True, slots=True)
class Span:
    """Event times ``[from_ns, to_ns)``, ns UTC."""

    from_ns: int
    to_ns: int

    def __contains__(self, time_ns: int) -> bool:
        """Tell whether an instant lies within."""
        return self.from_ns <= time_ns < self.to_ns

    def covers(self, other: "Span") -> bool:
        """Tell whether another span lies within."""
        return self.from_ns <= other.from_ns and other.to_ns <= self.to_ns

    def __str__(self) -> str:
        return f"{rfc3339(utc_from_ns(self.from_ns))} to {rfc3339(utc_from_ns(self.to_ns))}"
