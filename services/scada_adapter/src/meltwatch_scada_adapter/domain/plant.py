"""Which conditions there are: of alarm points, and of alarms that have no point in any list."""

from collections.abc import Iterable, Iterator, Mapping

from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import split_alarm_id

from meltwatch_scada_adapter.domain.condition import ScadaCondition, of_point, of_record


class PlantConditions:
    """The condition of each alarm as it was last told.

    Parameters
    ----------
    master_list
        Alarm points of the plant file and the defaults.
    """

    def __init__(self, master_list: MasterAlarmList) -> None:
        self._master_list = master_list
        self._known: dict[str, ScadaCondition] = {}

    def known(self) -> Iterator[ScadaCondition]:
        """Yield a condition for every alarm point of every furnace that stands in a list."""
        for furnace in (*self._master_list.furnaces, self._master_list.plant_equipment):
            yield from self._of_furnace(furnace)

    def take_points(
        self, alarm_ids: Iterable[str], points: Mapping[str, AlarmPoint]
    ) -> Iterator[ScadaCondition]:
        """Note alarm points that have changed; yield the conditions that they name."""
        for alarm_id in alarm_ids:
            point = points.get(alarm_id)
            try:
                self._master_list.override(alarm_id, point)
            except ContractViolation:
                continue  # its own parent: the manager refuses it and says so
            if point is not None:
                yield self._note(of_point(point))

    def take(self, record: AlarmRecord) -> ScadaCondition:
        """Return the condition of a record."""
        before = self._known.get(record.alarm_id)
        if before is None:
            furnace, _ = split_alarm_id(record.alarm_id)
            point = self._master_list.of(furnace).get(record.alarm_id)
            before = of_point(point) if point is not None else None
        self._known[record.alarm_id] = found = of_record(record, before)
        return found

    def forget(self, alarm_id: str) -> None:
        """Forget an alarm that was decommissioned."""
        self._known.pop(alarm_id, None)

    def _of_furnace(self, furnace: str) -> Iterator[ScadaCondition]:
        for alarm_id, point in self._master_list.of(furnace).items():
            if self._master_list.names(alarm_id):  # the plant as a whole is no furnace
                yield self._note(of_point(point))

    def _note(self, condition: ScadaCondition) -> ScadaCondition:
        return self._known.setdefault(condition.alarm_id, condition)
