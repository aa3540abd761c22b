"""When alarms were active, as their records tell."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from meltwatch_schemas.alarm import AlarmRecord, ns_from_utc

from meltwatch_backtester.domain.span import Span


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

    def add(self, record: AlarmRecord) -> None:
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
        found.setdefault(record.alarm_id, Activity(span)).add(record)
    return found


def _was_active(record: AlarmRecord, span: Span) -> bool:
    """Tell whether an alarm that is seen first as it ends had been raised before the span."""
    raised = record.raise_time
    return (
        raised is not None and ns_from_utc(raised) < span.from_ns and record.clear_time is not None
    )
