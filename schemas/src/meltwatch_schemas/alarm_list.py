"""From a stream of alarm records to the list that an operator reads."""

from collections.abc import Iterable
from typing import Final

from meltwatch_schemas.alarm import AlarmRecord, AlarmState, Priority

_UNACKNOWLEDGED: Final = frozenset({AlarmState.UNACK, AlarmState.LATUN, AlarmState.RTNUN})
_RANK: Final = {priority: rank for rank, priority in enumerate(Priority)}


def is_unacknowledged(state: AlarmState) -> bool:
    """Tell whether an alarm waits for an acknowledgement, even if it has returned to normal."""
    return state in _UNACKNOWLEDGED


def token_of(alarm: AlarmRecord) -> str:
    """Return the event id by which an alarm is acknowledged: of its annunciation, if known."""
    return alarm.annunciation_id or alarm.event_id


def is_annunciation(record: AlarmRecord) -> bool:
    """Tell whether a record is one that calls the operator: a raise, or a call once more."""
    return record.annunciation_id == record.event_id


def is_newer(record: AlarmRecord, than: AlarmRecord | None) -> bool:
    """Tell whether a record supersedes another of the same alarm, by ``(epoch, seq)``."""
    return than is None or (record.epoch, record.seq) > (than.epoch, than.seq)


def newest(records: Iterable[AlarmRecord]) -> dict[str, AlarmRecord]:
    """Return the newest record of each alarm id, whatever the order and number of deliveries."""
    found: dict[str, AlarmRecord] = {}
    for record in records:
        if is_newer(record, found.get(record.alarm_id)):
            found[record.alarm_id] = record
    return found


def listed(records: Iterable[AlarmRecord], *, everything: bool) -> list[AlarmRecord]:
    """Return alarms as an operator reads them: unacknowledged, then priority, then newest.

    Parameters
    ----------
    records
        At most one per alarm id.
    everything
        Normal ones too.
    """
    shown = [record for record in records if everything or record.state is not AlarmState.NORM]
    return sorted(shown, key=_reading_order)


def named(records: Iterable[AlarmRecord], name: str) -> list[AlarmRecord]:
    """Return the alarms that a name means: that id itself, else those whose id ends in it.

    Parameters
    ----------
    records
        At most one per alarm id.
    name
        An alarm id or its last levels, e.g. ``FMF-03/OVERHEAT``.
    """
    found = [each for each in records if f"/{each.alarm_id}".endswith(f"/{name}")]
    exact = [each for each in found if each.alarm_id == name]
    return exact or sorted(found, key=lambda each: each.alarm_id)


def _reading_order(record: AlarmRecord) -> tuple[bool, bool, int, float, str]:
    since = record.raise_time or record.condition_time
    return (
        record.state is AlarmState.NORM,
        record.state not in _UNACKNOWLEDGED,
        _RANK[record.priority],
        -since.timestamp(),
        record.alarm_id,
    )
