"""What the plant says of itself: its alarm points and the states of its furnaces."""

import structlog
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import alarm_id_of
from meltwatch_schemas.outside import FurnaceState, FurnaceStateWord
from meltwatch_schemas.point_rules import check_point, who_and_why
from meltwatch_schemas.record import OutgoingRecord, RawRecord, read_json
from meltwatch_schemas.topics import Topic

from meltwatch_core.alarms.command import furnace_id_of
from meltwatch_core.alarms.manager.scribe import Scribe
from meltwatch_core.alarms.watch import Watch

_log = structlog.get_logger()


class PlantDesk:
    """Takes up alarm points and furnace states while everything runs.

    Parameters
    ----------
    scribe
        Keeps the alarms.
    watch
        Knows which furnaces should be seen.
    """

    def __init__(self, scribe: Scribe, watch: Watch) -> None:
        self._scribe = scribe
        self._watch = watch

    def restore_point(self, record: RawRecord) -> None:
        """Take over an alarm point of before.

        Raises
        ------
        ContractViolation
            If it is refused.
        """
        self._scribe.registry.override(*_read_point(record))

    def handle_point(self, record: RawRecord) -> list[OutgoingRecord]:
        """Take up the next record of the topic; return what must be written because of it."""
        registry = self._scribe.registry
        try:
            alarm_id, point = _read_point(record)
            before = registry.point(alarm_id)
            registry.override(alarm_id, point)
        except ContractViolation as refusal:
            return [self._scribe.set_aside(record, Topic.ALARM_POINTS, refusal)]
        _log_change(alarm_id, before, registry.point(alarm_id), record)
        self._scribe.count(Topic.ALARM_POINTS, "taken")
        return []

    def restore_state(self, record: RawRecord) -> None:
        """Take over a furnace's state of before.

        Raises
        ------
        ContractViolation
            If it is refused.
        """
        self._watch.take_state(*_read_state(record), 0)

    def handle_state(self, record: RawRecord, now_ns: int) -> list[OutgoingRecord]:
        """Take up the next record of the topic; return what must be written because of it."""
        try:
            self._watch.take_state(*_read_state(record), now_ns)
        except ContractViolation as refusal:
            return [self._scribe.set_aside(record, Topic.FURNACE_STATES, refusal)]
        self._scribe.count(Topic.FURNACE_STATES, "taken")
        return []


def _read_point(record: RawRecord) -> tuple[str, AlarmPoint | None]:
    """Return an alarm id with its point, or with None where the override was taken back."""
    if record.value is None:
        return alarm_id_of(record.key), None
    point = check_point(read_json(record, AlarmPoint))
    return point.alarm_id, point


def _read_state(record: RawRecord) -> tuple[str, FurnaceStateWord | None]:
    """Return a furnace with its state, or with None where that was taken back."""
    furnace_id = furnace_id_of(record.key)
    if record.value is None:
        return furnace_id, None
    return furnace_id, read_json(record, FurnaceState).state


def _log_change(
    alarm_id: str, old: AlarmPoint | None, new: AlarmPoint | None, record: RawRecord
) -> None:
    """Say which set-point is another one now: management of change begins with knowing."""
    before, after = (point and (point.setpoint, point.prepared) for point in (old, new))
    if before == after:
        return
    change = new.change if new else None
    by, why = (change.by, change.why) if change else (None, None)
    if record.value is None:
        by, why = who_and_why(record)
    _log.info(
        "setpoint_changed",
        alarm_id=alarm_id,
        by=by,
        why=why,
        old=old.setpoint.model_dump(exclude_none=True) if old else None,
        new=new.setpoint.model_dump(exclude_none=True) if new else None,
        basis=new.setpoint_basis if new else None,
        prepared=new.prepared.setpoint_digest if new and new.prepared else None,
    )
