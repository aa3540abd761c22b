"""Key figures that the manager counts as it goes; the report counts them from the journal."""

from collections import Counter, deque
from collections.abc import Sequence

from meltwatch_chassis.metrics import Metrics
from meltwatch_schemas.alarm import AlarmRecord, AlarmState, Priority
from meltwatch_schemas.alarm_command import Command
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.alarms.alarm import Alarm
from meltwatch_core.alarms.kpi.lines import JournalLine, line_of
from meltwatch_core.alarms.kpi.load import TEN_MINUTES_NS
from meltwatch_core.alarms.kpi.nuisance import (
    CHATTER_NS,
    CHATTER_RAISES,
    FLEETING_NS,
    STALE_NS,
)

MOST_ANNOUNCED = 10_000
"""More annunciations than this within ten minutes are not counted."""


class LiveFigures:
    """Counts what is announced, answered and a nuisance.

    What happened before this manager led is not known to it: an alarm that was announced then has
    no time of response.

    Parameters
    ----------
    metrics
        Where it is shown.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._announced_ns: deque[int] = deque(maxlen=MOST_ANNOUNCED)
        self._waiting_ns: dict[str, int] = {}

    def note(self, before: Alarm, after: Alarm, record: AlarmRecord) -> None:
        """Count a record that is new."""
        line = line_of(record)
        if not line.counts:
            return
        if line.is_annunciation:
            self._metrics.annunciations.labels(line.priority.value).inc()
            self._announced_ns.append(line.at_ns)
        self._note_response(line)
        if line.is_raise and line.is_annunciation and _chatters(line, after):
            self._metrics.chattering.labels(line.priority.value).inc()
        if _is_fleeting(line, before):
            self._metrics.fleeting.labels(line.priority.value).inc()

    def show(self, records: Sequence[AlarmRecord], now_ns: int) -> None:
        """Show what is true of all alarms now."""
        while self._announced_ns and self._announced_ns[0] <= now_ns - TEN_MINUTES_NS:
            self._announced_ns.popleft()
        self._metrics.announced_lately.set(len(self._announced_ns))
        lines = [line_of(record) for record in records if record.active]
        stale = sum(
            line.is_announced and now_ns - (line.raised_ns or line.at_ns) > STALE_NS
            for line in lines
        )
        self._metrics.alarms_stale.set(stale)
        counts = Counter((record.priority, record.state) for record in records)
        for priority in Priority:
            for state in AlarmState:
                gauge = self._metrics.alarms_active.labels(priority.value, state.value)
                gauge.set(counts[priority, state])

    def _note_response(self, line: JournalLine) -> None:
        begun_ns = self._waiting_ns.pop(line.alarm_id, None)
        if line.is_annunciation:
            # Called again while it waits: the operator has had the time since the first call.
            waits_on = begun_ns is not None and not line.is_raise
            self._waiting_ns[line.alarm_id] = begun_ns if waits_on and begun_ns else line.at_ns
        elif begun_ns is not None and line.cause == Command.ACK.upper():
            answered_s = max(line.at_ns - begun_ns, 0) / NS_PER_S
            self._metrics.response.labels(line.priority.value).observe(answered_s)
        elif begun_ns is not None and line.waits:
            self._waiting_ns[line.alarm_id] = begun_ns


def _chatters(line: JournalLine, alarm: Alarm) -> bool:
    raised_ns = line.raised_ns or line.at_ns
    return sum(each > raised_ns - CHATTER_NS for each in alarm.raises_ns) >= CHATTER_RAISES


def _is_fleeting(line: JournalLine, before: Alarm) -> bool:
    """Tell whether an alarm returned to normal within 10 s, before anybody acknowledged it."""
    was_announced = before.record is not None and line_of(before.record).is_announced
    if line.active or not was_announced or before.facts.acked or line.by is not None:
        return False
    begun_ns, ended_ns = line.raised_ns or line.at_ns, line.cleared_ns or line.at_ns
    return ended_ns - begun_ns < FLEETING_NS
