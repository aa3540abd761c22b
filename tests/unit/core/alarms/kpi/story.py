"""Journals told by hand: who was announced, acknowledged and gone, and when."""

from datetime import UTC, datetime
from typing import Any

from meltwatch_core.alarms.kpi.lines import Logged, lines_of
from meltwatch_core.alarms.kpi.load import Stretch
from meltwatch_core.alarms.kpi.performance import Performance, performance
from meltwatch_schemas.alarm import AlarmRecord, AlarmState
from meltwatch_schemas.instants import ns_from_utc, utc_from_ns
from meltwatch_schemas.window import NS_PER_S

from tests.support.builders import alarm_record

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
"""A Sunday, and the first day of a month."""
BEGIN_NS = ns_from_utc(BEGIN)
DAY_S = 86_400


def at_ns(second: float) -> int:
    """Return the instant so many seconds after ``BEGIN``."""
    return BEGIN_NS + int(second * NS_PER_S)


def stretch(begin_s: float = 0, end_s: float = DAY_S) -> Stretch:
    """Return a stretch by seconds after ``BEGIN``; one day unless told otherwise."""
    return Stretch(at_ns(begin_s), at_ns(end_s))


def name(number: int) -> str:
    """Return the alarm id of the n-th furnace."""
    return f"site/area/FMF-{number:02}/OVERHEAT"


class Story:
    """Records of an alarms topic, in their order."""

    def __init__(self) -> None:
        self.records: list[AlarmRecord] = []
        self._last: dict[str, AlarmRecord] = {}

    def tell(
        self,
        alarm_id: str,
        second: float,
        cause: str,
        state: str,
        by: str | None = None,
        **changes: Any,
    ) -> "Story":
        """Add a record: what it does not name is as it was before."""
        last = self._last.get(alarm_id)
        seq = len(self.records) + 1
        at = utc_from_ns(at_ns(second))
        fields: dict[str, Any] = {} if last is None else dict(last)
        before = AlarmState.NORM if last is None else last.state
        fields |= {
            "transition": {"from": before, "to": state, "cause": cause, "by": by},
            "state": state,
            "event_id": f"{seq:032x}",
            "seq": seq,
            "times": dict.fromkeys(("event", "watermark", "ingest", "scored", "published"), at),
            "class": "process",
        }
        fields.pop("alarm_id", None)
        if cause == "RAISE":
            fields |= {"active": True, "raise_time": at, "condition_time": at, "clear_time": None}
            fields |= {"occurrence_id": f"occurrence-{seq}"}
        if cause == "CLEAR":
            fields |= {"active": False, "clear_time": at}
        record = alarm_record(alarm_id, **(fields | changes))
        self._last[alarm_id] = record
        self.records.append(record)
        return self

    def raises(self, alarm_id: str, second: float, **changes: Any) -> "Story":
        """Announce an alarm."""
        return self.tell(alarm_id, second, "RAISE", "UNACK", **changes)

    def acks(self, alarm_id: str, second: float) -> "Story":
        """Acknowledge an alarm that is active."""
        return self.tell(alarm_id, second, "ACK", "ACKED", by="li", acked=True)

    def clears(self, alarm_id: str, second: float, state: str = "NORM") -> "Story":
        """Let a condition end."""
        return self.tell(alarm_id, second, "CLEAR", state)

    def blinks(self, alarm_id: str, second: float, length_s: float = 60) -> "Story":
        """Announce an alarm that ends by itself."""
        return self.raises(alarm_id, second).clears(alarm_id, second + length_s)

    def logged(self) -> list[Logged]:
        """Return what a journal holds of it."""
        return [
            Logged(record.alarm_id, record, ns_from_utc(record.times.published))
            for record in self.records
        ]

    def performance(self, begin_s: float = 0, end_s: float = DAY_S, zone: Any = UTC) -> Performance:
        """Return the key figures of a part of it."""
        return performance(lines_of(self.logged()), stretch(begin_s, end_s), zone)
