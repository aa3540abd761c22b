"""What a report shows of a span: score traces of the furnaces, and when alarms were active.

Traces are thinned out to what a picture can show: peaks stay. Memory is bounded by the picture,
however long the span.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.window import PUBLISHED_SPEC

from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.time_axis import TimeAxis

COLUMNS: Final = 1000
"""Of a picture: windows that share a column show as the stretch between them."""

Kind = str


class Column(NamedTuple):
    """Lowest and highest logit of the windows that end in one column."""

    low: float
    high: float

    def with_value(self, value: float) -> "Column":
        """Return the column with one more window."""
        return Column(min(self.low, value), max(self.high, value))


class Stretches:
    """Stretches of time; those that no picture could tell apart are joined.

    Parameters
    ----------
    apart_ns
        Least distance of two of them.
    """

    def __init__(self, apart_ns: int) -> None:
        self._apart_ns = apart_ns
        self._found: list[Span] = []

    def add_stretch(self, start_ns: int, end_ns: int) -> None:
        """Add a stretch that begins no earlier than the last one."""
        if self._found and start_ns - self._found[-1].to_ns < self._apart_ns:
            last = self._found.pop()
            start_ns, end_ns = last.from_ns, max(last.to_ns, end_ns)
        self._found.append(Span(start_ns, end_ns))

    @property
    def spans(self) -> tuple[Span, ...]:
        """The stretches, by time."""
        return tuple(self._found)


@dataclass(frozen=True, slots=True)
class TracedWindow:
    """One window of a trace.

    Attributes
    ----------
    end_ns
        Its end, ns UTC.
    logit, live_logit
        Replayed and live; None where unscored or without a live score.
    kinds
        Words for what is the matter with it: stretches of each are shaded.
    """

    end_ns: int
    logit: float | None
    live_logit: float | None = None
    kinds: tuple[Kind, ...] = ()


@dataclass
class Trace:
    """The windows of one furnace over a span.

    Attributes
    ----------
    times
        The axis across it.
    replayed, live
        Logits by column.
    """

    times: TimeAxis
    replayed: dict[int, Column] = field(default_factory=dict)
    live: dict[int, Column] = field(default_factory=dict)
    _stretches: dict[Kind, Stretches] = field(default_factory=dict)
    _last_end_ns: int | None = None

    @property
    def column_ns(self) -> int:
        """Width of a column: no less than a hop, so that every window has its own or shares one."""
        return max(-(-self.times.length_ns // COLUMNS), PUBLISHED_SPEC.hop_ns)

    @property
    def span(self) -> Span:
        """What is shown."""
        return self.times.span

    def add_window(self, window: TracedWindow) -> None:
        """Add a window, which ends after the one before it."""
        start_ns = max(window.end_ns - PUBLISHED_SPEC.hop_ns, self.span.from_ns)
        self._note_gap(start_ns)
        self._last_end_ns = window.end_ns
        column = self.times.drawn_ns(window.end_ns) // self.column_ns
        for columns, value in ((self.replayed, window.logit), (self.live, window.live_logit)):
            if value is not None:
                columns[column] = columns.get(column, Column(value, value)).with_value(value)
        for kind in window.kinds:
            self._of(kind).add_stretch(start_ns, window.end_ns)

    def finish(self) -> None:
        """Say that no window follows."""
        self._note_gap(self.span.to_ns - PUBLISHED_SPEC.hop_ns)

    def stretches(self) -> dict[Kind, tuple[Span, ...]]:
        """Return what is to be shaded; ``gap`` is where no window ends."""
        return {kind: found.spans for kind, found in sorted(self._stretches.items())}

    def _note_gap(self, until_ns: int) -> None:
        since_ns = self.span.from_ns if self._last_end_ns is None else self._last_end_ns
        if until_ns - since_ns > PUBLISHED_SPEC.hop_ns // 2:
            self._of("gap").add_stretch(since_ns, until_ns)

    def _of(self, kind: Kind) -> Stretches:
        return self._stretches.setdefault(kind, Stretches(self.column_ns))


@dataclass
class Activity:
    """One alarm over a span.

    Attributes
    ----------
    span
        What is looked at.
    raises
        How often it was raised.
    state
        After the last record, None without any.
    """

    span: Span
    raises: int = 0
    state: str | None = None
    _active: list[Span] = field(default_factory=list)
    _since_ns: int | None = None

    def add_record(self, record: AlarmRecord) -> None:
        """Take the next record."""
        self.raises += record.transition.cause == "RAISE"
        at_ns = ns_from_utc(record.evidence.window_end)
        if self.state is None and not record.active and _was_active(record, self.span):
            self._since_ns = self.span.from_ns
        if record.active and self._since_ns is None:
            self._since_ns = at_ns
        elif not record.active and self._since_ns is not None:
            self._active.append(Span(self._since_ns, at_ns))
            self._since_ns = None
        self.state = record.state.value

    @property
    def active(self) -> tuple[Span, ...]:
        """Stretches in which the condition held."""
        still = [] if self._since_ns is None else [Span(self._since_ns, self.span.to_ns)]
        return (*self._active, *still)


def activities(records: Iterable[AlarmRecord], span: Span) -> dict[str, Activity]:
    """Return what happened to each alarm, by its id."""
    found: dict[str, Activity] = {}
    for record in records:
        found.setdefault(record.alarm_id, Activity(span)).add_record(record)
    return found


def _was_active(record: AlarmRecord, span: Span) -> bool:
    """Tell whether an alarm that is seen first as it ends had been raised before the span."""
    raised = record.raise_time
    return (
        raised is not None and ns_from_utc(raised) < span.from_ns and record.clear_time is not None
    )
