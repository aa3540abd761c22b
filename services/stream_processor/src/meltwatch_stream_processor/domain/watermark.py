"""Watermark of one furnace: the event time up to which its windows may close.

Event time alone moves it. A modality that falls silent delays it by ``idle_gap``, then no
longer stops it.
"""

from meltwatch_schemas.score import Modality

from meltwatch_stream_processor.domain.rules import JoinRules


class Watermark:
    """Newest event time per modality, and what follows from it; it never goes back."""

    def __init__(self, rules: JoinRules) -> None:
        self._rules = rules
        self._progress_ns: dict[Modality, int] = {}

    def advance(self, modality: Modality, last_event_ns: int) -> None:
        """Take note of the last event time of a record that was handed on."""
        progress_ns = last_event_ns - self._rules.bound_ns(modality)
        known_ns = self._progress_ns.get(modality)
        if known_ns is None or progress_ns > known_ns:
            self._progress_ns[modality] = progress_ns

    @property
    def time_ns(self) -> int | None:
        """No event at or before this instant is waited for; None before the first record."""
        if not self._progress_ns:
            return None
        leading_ns = max(self._progress_ns.values()) - self._rules.idle_gap_ns
        if len(self._progress_ns) < len(Modality):
            return leading_ns
        return max(min(self._progress_ns.values()), leading_ns)
