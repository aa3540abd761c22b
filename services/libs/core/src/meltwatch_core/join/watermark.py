"""Watermark of one furnace: the event time up to which its windows may close; see rule 6.

Event time alone moves it, the slowest modality decides. One that is left out does not: because it
is idle, because its clock went back, or because it is too far behind for too long.

Who is idle is decided by the reader's own clock, for in a backlog event time runs at any speed. A
modality is waited for from the first record of the other one that follows its own last. Each pause
between two records counts one second at most: a reader that was frozen makes nobody idle.
"""

from collections.abc import Collection
from dataclasses import dataclass

from meltwatch_schemas.score import Modality

from meltwatch_core.join.merge import MODALITIES, OTHER, Reading
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
        """Note a record: the wait for its modality ends, the wait for the other goes on."""
        step_ns = self._step_ns(now_ns)
        waits, other = self._waits, OTHER[modality]
        waits.pop(modality, None)
        wait = waits.get(other)
        if wait is None:
            wait = waits[other] = _Wait(now_ns, 0)
        wait.waited_ns += step_ns
        self.heard_ns = now_ns

    def pass_time(self, reading: Reading) -> None:
        """Count time in which we ourselves hold back records of a modality: the other is late."""
        if reading.held_back is None:
            return
        wait = self._waits.get(OTHER[reading.held_back])
        if wait is not None:
            wait.waited_ns += self._step_ns(reading.now_ns)

    def idle(self, reading: Reading) -> list[Modality]:
        """Return the modalities that are waited for long enough, and of which nothing is unread."""
        gap_ns = self._rules.idle_gap_ns
        return [
            modality
            for modality, wait in self._waits.items()
            if wait.waited_ns > gap_ns and reading.is_read_since(modality, wait.since_ns)
        ]

    def _step_ns(self, now_ns: int) -> int:
        counted_ns, self._counted_ns = self._counted_ns, now_ns
        return 0 if counted_ns is None else min(now_ns - counted_ns, self._rules.pause_cap_ns)


_ALWAYS_NS = -(2**63)


class Watermark:
    """Newest event time per modality, and what follows from it; it never goes back.

    Parameters
    ----------
    rules
        The window rule's numbers.
    behind
        Modalities that an earlier life left out as too far behind; they stay so until they catch
        up.

    Attributes
    ----------
    time_ns
        No event at or before this instant is waited for; None before the first one closes.
    behind
        Modalities that are left out because they are too far behind.
    """

    def __init__(self, rules: JoinRules, behind: Collection[Modality] = ()) -> None:
        self._max_skew_ns = rules.max_skew_ns
        self._bounds_ns = {modality: rules.bound_ns(modality) for modality in MODALITIES}
        self._newest_ns: dict[Modality, int] = {}
        self._behind_since_ns = dict.fromkeys(behind, _ALWAYS_NS)
        self.behind: tuple[Modality, ...] = tuple(behind)
        self.time_ns: int | None = None

    def advance(self, modality: Modality, last_event_ns: int) -> None:
        """Take note of the last event time of a record that was handed on."""
        if last_event_ns > self._newest_ns.get(modality, -1):
            self._newest_ns[modality] = last_event_ns

    def update(self, reading: Reading, left_out: Collection[Modality]) -> None:
        """Move on to where it stands now.

        Parameters
        ----------
        reading
            How far reading has come.
        left_out
            Modalities that are idle, or whose clocks went back.
        """
        self._update_behind(reading)
        slowest_ns: int | None = None
        for modality, bound_ns in self._bounds_ns.items():
            if modality in left_out or modality in self.behind:
                continue
            newest_ns = self._newest_ns.get(modality)
            if newest_ns is None:
                return
            if slowest_ns is None or newest_ns - bound_ns < slowest_ns:
                slowest_ns = newest_ns - bound_ns
        if slowest_ns is not None:
            self.time_ns = max(slowest_ns, self.time_ns or 0)

    def behind_ns(self, modality: Modality) -> int:
        """Return how far a modality's events are behind those of the other one, ns, 0 or more."""
        newest_ns, other_ns = (self._newest_ns.get(m) for m in (modality, OTHER[modality]))
        return 0 if newest_ns is None or other_ns is None else max(other_ns - newest_ns, 0)

    @property
    def highest_ns(self) -> int | None:
        """The watermark if the modality that is ahead decided alone; None before any event."""
        marks_ns = [ns - self._bounds_ns[modality] for modality, ns in self._newest_ns.items()]
        return max(marks_ns, default=None)

    def _update_behind(self, reading: Reading) -> None:
        """Note since when a modality is too far behind, and leave it out if that lasts too long.

        Time counts only as far as all is read: otherwise our own reading is behind.
        """
        limit_ns = self._max_skew_ns
        if len(self._newest_ns) == len(MODALITIES):
            lead_ns = self._newest_ns[Modality.VIDEO] - self._newest_ns[Modality.CURRENT]
            if abs(lead_ns) <= limit_ns:
                self._behind_since_ns.clear()
            else:
                modality = Modality.CURRENT if lead_ns > 0 else Modality.VIDEO
                self._behind_since_ns.pop(OTHER[modality], None)
                self._behind_since_ns.setdefault(modality, reading.now_ns)
        if self._behind_since_ns or self.behind:
            self.behind = tuple(
                modality
                for modality, since_ns in self._behind_since_ns.items()
                if reading.read_as_of.get(modality, _ALWAYS_NS) - since_ns > limit_ns
            )
