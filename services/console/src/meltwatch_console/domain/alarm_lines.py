"""Lines of the alarms that were heard of, for key figures: a month of them at most."""

from collections import deque
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Final

from meltwatch_core.alarms.kpi.key_figures import Figure, Grade, figures_of
from meltwatch_core.alarms.kpi.lines import JournalLine, ended, line_of
from meltwatch_core.alarms.kpi.load import DAY_NS, HOUR_NS, TEN_MINUTES_NS, Stretch
from meltwatch_core.alarms.kpi.performance import performance
from meltwatch_schemas.alarm import AlarmRecord, AlarmVerdict

from meltwatch_console.domain.occurrences import Occurrence

MOST_LINES: Final = 50_000
LOOKED_BACK_NS: Final = 30 * DAY_NS
WHOLE_NS: Final = 7 * DAY_NS
"""For so long Kafka keeps every change of an alarm; of what is older, the newest alone."""
_RATES: Final = {"per_day": DAY_NS, "per_hour": HOUR_NS, "per_10_min": TEN_MINUTES_NS}
"""The time that a rate is meant for."""


@dataclass(frozen=True, slots=True)
class AlarmFigures:
    """How well alarms serve those who must answer them.

    Attributes
    ----------
    since_ns, until_ns
        Of which time.
    figures
        In the order in which people read them.
    top
        The ten alarms that are announced most, and how often.
    """

    since_ns: int
    until_ns: int
    figures: list[Figure]
    top: list[tuple[str, int]]


class AlarmLines:
    """The changes of alarms, oldest first.

    Parameters
    ----------
    started_ns
        When they began to be read.
    most
        How many are kept.

    Attributes
    ----------
    whole_from_ns
        From when on every change is known; of what is older, the newest of each alarm alone.
    """

    def __init__(self, started_ns: int, most: int = MOST_LINES) -> None:
        self.whole_from_ns = started_ns - WHOLE_NS
        self._most = most
        self._known: set[tuple[str, str]] = set()
        self._lines: deque[JournalLine] = deque()
        self._last: dict[str, JournalLine] = {}
        self._before: dict[str, JournalLine] = {}

    def recall(self, lines: list[JournalLine], whole_from_ns: int, saved_ns: int) -> None:
        """Take over lines that were kept, before any record: the topic gives the newer ones again.

        If some were lost between them and what the topic has, they are left out.
        """
        if saved_ns < self.whole_from_ns:
            return
        self.whole_from_ns = min(self.whole_from_ns, whole_from_ns)
        for line in lines:
            self._add(line)

    def held(self, now_ns: int) -> list[JournalLine]:
        """Return what figures of now are made of, oldest first."""
        begin_ns = now_ns - LOOKED_BACK_NS
        known = [*self._before.values(), *self._lines]
        older = {line.alarm_id: line for line in known if line.at_ns < begin_ns}
        return [*older.values(), *(line for line in known if line.at_ns >= begin_ns)]

    def note_gap(self, now_ns: int) -> None:
        """Note that the topic has been read again: what it does not have any more was missed."""
        self.whole_from_ns = max(self.whole_from_ns, now_ns - WHOLE_NS)

    def take(self, record: AlarmRecord) -> None:
        """Take a record, the newest of its alarm so far."""
        if record.run_id is None:
            self._add(line_of(record))

    def end(self, alarm_id: str, at_ns: int) -> None:
        """Note that an alarm is gone for ever."""
        last = self._last.get(alarm_id)
        if last is not None:
            self._add(ended(last, at_ns))
            del self._last[alarm_id]

    def figures(self, now_ns: int, zone: tzinfo, judged: list[Occurrence]) -> AlarmFigures | None:
        """Return the figures of the last 30 days, as far as they are known; None of nothing.

        Those of less than a day are held against no target, and no rate is told of less time than
        it is meant for.

        Parameters
        ----------
        now_ns
            Wall clock.
        zone
            Of the plant, for its days.
        judged
            Occurrences that people have judged.
        """
        # Copies, each made at once: this runs in a thread while records come.
        before, held = list(self._before.values()), list(self._lines)
        lines = before + held
        if not lines:
            return None
        # The newest record of a quiet alarm may be old: it says how the stretch begins.
        whole = [line.at_ns for line in held if line.at_ns >= self.whole_from_ns]
        begin_ns = max(now_ns - LOOKED_BACK_NS, min(whole, default=self.whole_from_ns))
        if begin_ns >= now_ns:
            return None
        found = performance(lines, Stretch(begin_ns, now_ns), zone)
        recent = [each for each in judged if each.raised_ms * 1_000_000 >= begin_ns]
        figures = [*figures_of(found, None), _judged_false(recent)]
        length_ns = now_ns - begin_ns
        figures = [_as_known(each, length_ns) for each in figures]
        return AlarmFigures(begin_ns, now_ns, figures, found.top)

    def _add(self, line: JournalLine) -> None:
        self._last[line.alarm_id] = line
        key = (line.event_id, line.cause)
        if key in self._known:  # the topic is read again
            return
        self._known.add(key)
        self._lines.append(line)
        while len(self._lines) > self._most:
            gone = self._lines.popleft()
            self._known.discard((gone.event_id, gone.cause))
            self._before[gone.alarm_id] = gone
            self.whole_from_ns = max(self.whole_from_ns, gone.at_ns)


def _as_known(figure: Figure, length_ns: int) -> Figure:
    """Return what can be said of a figure after so long a time."""
    value = figure.value if length_ns >= _RATES.get(figure.key, 0) else None
    return replace(figure, value=value, grade=figure.grade if length_ns >= DAY_NS else Grade.NONE)


def _judged_false(judged: list[Occurrence]) -> Figure:
    words = [each.verdict.word for each in judged if each.verdict is not None]
    share = 100 * words.count(AlarmVerdict.FALSE_ALARM) / len(words) if words else None
    return Figure(
        "judged_false", "Judged false", share, "%", "", Grade.NONE,
        f"Of {len(words)} that people have judged.",
    )  # fmt: skip
