"""What the self-test found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SelftestVerdict:
    """The result of a self-test.

    Attributes
    ----------
    furnace_id, alarm_id
        The furnace that was made for it, and its alarm.
    failures
        Expectations that were not met, a line each; none if all is well.
    windows
        Number of windows by status, and ``missing`` window numbers.
    event_to_score_s
        ``p50`` and ``p95`` from a window's newest event to its score, s; None if nothing was live.
    anomaly_to_alarm_s
        From the first warmth to the alarm record, s; None without an alarm.
    event_to_alarm_s
        From the instant at which the on-delay was over to the alarm record, s.
    """

    furnace_id: str
    alarm_id: str
    failures: tuple[str, ...]
    windows: Mapping[str, int]
    event_to_score_s: Mapping[str, float] | None
    anomaly_to_alarm_s: float | None
    event_to_alarm_s: float | None

    @property
    def passed(self) -> bool:
        """Tell whether every expectation was met."""
        return not self.failures

    def to_object(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {"passed": self.passed} | asdict(self)
