"""What can be told of a running source: its state, what comes, and how good its times are."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from meltwatch_schemas.window import NS_PER_S

RATE_NS: Final = 10 * NS_PER_S
_MOST: Final = 2_000


@dataclass(frozen=True, slots=True)
class SourceTiming:
    """How good the times of a source are, as its newest records say it.

    Attributes
    ----------
    sync
        ``ntp`` or ``free``, as in records.
    max_error_s
        Bound of their error.
    delay_s
        From event time to arrival; None if it cannot be told.
    rung
        Of a camera: whose clock event times follow.
    clock_offset_s
        The source's own clock minus the time by arrival; None without one.
    findings
        What is wrong with its clock.
    """

    sync: str
    max_error_s: float
    delay_s: float | None = None
    rung: str | None = None
    clock_offset_s: float | None = None
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One source of a running producer. No login is in it, only its name.

    Attributes
    ----------
    furnace_id, modality, source_id, address, credentials
        Which source it is.
    state
        ``running``, ``silent``, ``waiting``, ``misconfigured`` or ``connecting``.
    since_s
        For how long it has been so.
    why
        What was said of it, empty if nothing.
    reconnects
        How often it was opened again.
    newest_s
        Age of the newest frame or reading with a value; None if there was none.
    used_s
        Age of the newest one that became a record.
    rate_hz
        Frames or readings a second over the last 10 s.
    timing
        None before the first record.
    """

    furnace_id: str
    modality: str
    source_id: str
    address: str
    credentials: str | None
    state: str
    since_s: float
    why: str
    reconnects: int
    newest_s: float | None
    used_s: float | None
    rate_hz: float
    timing: SourceTiming | None


@dataclass(slots=True)
class SourceArrivals:
    """When something came, and how often."""

    newest_ns: int | None = None
    used_ns: int | None = None
    _times: deque[int] = field(default_factory=lambda: deque(maxlen=_MOST))

    def came(self, now_ns: int) -> None:
        """Note that something came; the source's own thread calls this."""
        self.newest_ns = now_ns
        self._times.append(now_ns)

    def rate_hz(self, now_ns: int) -> float:
        """Return how many came a second lately; any thread may ask."""
        lately = sum(time_ns > now_ns - RATE_NS for time_ns in self._times.copy())
        return lately * NS_PER_S / RATE_NS


def age_s(time_ns: int | None, now_ns: int) -> float | None:
    """Return how long ago something was."""
    return None if time_ns is None else round((now_ns - time_ns) / NS_PER_S, 3)
