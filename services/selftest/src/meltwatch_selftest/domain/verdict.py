"""What the self-test found: the windows of its furnace, each number once, and the verdict."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import quantiles
from typing import Any

from meltwatch_schemas.score import ScoreStatus, WindowScore
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC


@dataclass(slots=True)
class Windows:
    """Windows in the order of their publication.

    Attributes
    ----------
    scores
        Each as it came first; one that comes again is ignored, as every reader must.
    """

    scores: list[WindowScore] = field(default_factory=list)

    def add_score(self, score: WindowScore) -> None:
        """Take the next window in."""
        if not self.scores or score.window_end_ns > self.scores[-1].window_end_ns:
            self.scores.append(score)

    def newest_scored_ns(self) -> int | None:
        """Return the end of the newest window if both modalities gave its verdict, else None."""
        if self.scores and self.scores[-1].status is ScoreStatus.SCORED:
            return self.scores[-1].window_end_ns
        return None

    def statuses(self) -> dict[str, int]:
        """Return how many windows have which status."""
        counted = Counter(score.status.value for score in self.scores)
        return {status.value: counted[status.value] for status in ScoreStatus}

    def summary(self) -> str:
        """Return a short text about the windows so far."""
        if not self.scores:
            return "no window came"
        last = self.scores[-1]
        why = f" ({', '.join(last.reasons)})" if last.reasons else ""
        return f"{len(self.scores)} windows came, the last {last.status}{why}"

    def missing(self) -> int:
        """Return how many window numbers between the first and the last have no window."""
        if not self.scores:
            return 0
        span_ns = self.scores[-1].window_end_ns - self.scores[0].window_end_ns
        return span_ns // PUBLISHED_SPEC.hop_ns + 1 - len(self.scores)

    def without_verdict(self, since_ns: int) -> list[WindowScore]:
        """Return the windows that end later than an instant and are not scored."""
        return [s for s in self._since(since_ns) if s.status is not ScoreStatus.SCORED]

    def event_to_score_s(self, since_ns: int) -> dict[str, float] | None:
        """Return percentiles of the time from a window's newest event to its publication.

        Parameters
        ----------
        since_ns
            Windows that end later count, ns UTC.

        Returns
        -------
        ``p50`` and ``p95`` in seconds, or None for fewer than two windows.
        """
        waits_s = [
            (score.times.published_ns - score.times.last_event_ns) / NS_PER_S
            for score in self._since(since_ns)
        ]
        if len(waits_s) < 2:
            return None
        cuts = quantiles(waits_s, n=20, method="inclusive")
        return {"p50": round(cuts[9], 3), "p95": round(cuts[18], 3)}

    def _since(self, since_ns: int) -> list[WindowScore]:
        return [score for score in self.scores if score.window_end_ns > since_ns]


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
