"""Which modality of one furnace is idle, by the reader's own clock; see rule 6 of the join.

In a backlog event time runs at any speed, so the clock of the reader decides. A modality is waited
for from the first record of the other one that follows its own last. Each pause between two
records counts one second at most: a reader that was frozen makes nobody idle.
"""

from dataclasses import dataclass

from meltwatch_schemas.score import Modality

from meltwatch_core.join.reading import OTHER, Reading
from meltwatch_core.join.rules import JoinRules


@dataclass(slots=True)
class _Wait:
    """Since when a modality is waited for, and how much of that time counts, ns."""

    since_ns: int
    waited_ns: int


class Idleness:
    """Both modalities of one furnace.

    Parameters
    ----------
    rules
        The window rule's numbers.

    Attributes
    ----------
    heard_ns
        When the last record of the furnace was handed on, by the reader's clock.
    """

    def __init__(self, rules: JoinRules) -> None:
        self._rules = rules
        self._waits: dict[Modality, _Wait] = {}
        self._counted_ns: int | None = None
        self.heard_ns = 0

    def heard(self, modality: Modality, now_ns: int) -> None:
        """Take note of a record: the wait for its modality ends, that for the other goes on."""
        step_ns = self._step_ns(now_ns)
        self._waits.pop(modality, None)
        self._wait_for(OTHER[modality], now_ns).waited_ns += step_ns
        self.heard_ns = now_ns

    def pass_time(self, reading: Reading) -> None:
        """Count time in which we ourselves keep records of a modality back: the other is late."""
        if reading.held_back is None:
            return
        wait = self._waits.get(OTHER[reading.held_back])
        if wait is not None:
            wait.waited_ns += self._step_ns(reading.now_ns)

    def is_idle(self, modality: Modality, reading: Reading) -> bool:
        """Tell whether a modality is idle: waited for long enough, and nothing of it unread."""
        wait = self._waits.get(modality)
        return (
            wait is not None
            and wait.waited_ns > self._rules.idle_gap_ns
            and reading.is_read_since(modality, wait.since_ns)
        )

    def _wait_for(self, modality: Modality, now_ns: int) -> _Wait:
        wait = self._waits.get(modality)
        if wait is None:
            wait = self._waits[modality] = _Wait(now_ns, 0)
        return wait

    def _step_ns(self, now_ns: int) -> int:
        counted_ns, self._counted_ns = self._counted_ns, now_ns
        return 0 if counted_ns is None else min(now_ns - counted_ns, self._rules.pause_cap_ns)
