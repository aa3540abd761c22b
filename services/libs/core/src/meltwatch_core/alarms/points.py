"""The master alarm list: which alarm points a furnace has, and where each comes from."""

from collections.abc import Collection, Mapping
from typing import NamedTuple, Self

from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.default_points import default_points
from meltwatch_schemas.errors import violation
from meltwatch_schemas.identifiers import split_alarm_id
from meltwatch_schemas.locale import NOWHERE, Locale
from meltwatch_schemas.point_rules import WITHOUT_SCORE
from meltwatch_schemas.topics import DEFAULT_PREFIX

from meltwatch_core.alarms.system_alarms import (
    FURNACE_ALARMS,
    PLANT_ALARMS,
    is_by_scores,
    parents_of,
    plant_equipment,
    system_points,
)


def point_of(record: AlarmRecord) -> AlarmPoint:
    """Return the alarm point that a record was made for, where no list holds it any more."""
    furnace_id, condition = split_alarm_id(record.alarm_id)
    return AlarmPoint.model_validate(
        {
            "alarm_id": record.alarm_id,
            "equipment_path": furnace_id,
            "title": record.title,
            "condition": condition,
            "class": record.class_,
            "priority": record.priority,
            "consequence_if_no_action": record.guidance.consequence,
            "operator_action": record.guidance.action,
            "time_to_respond_s": record.guidance.time_to_respond_s,
            "setpoint": Setpoint(
                logit_on=record.evidence.threshold,
                logit_off=record.evidence.threshold_off,
                imbalance_on=record.evidence.imbalance_on,
                imbalance_off=record.evidence.imbalance_off,
                novelty_on=record.evidence.novelty_on,
                novelty_off=record.evidence.novelty_off,
            ),
            "revision": record.config_rev,
            "mode": record.mode,
            "audible": record.audible is not False,
            "causes": record.causes or [],
            "display_url": record.display_url,
            "guidance_url": record.guidance.url,
        }
    )


class FurnacePoints(NamedTuple):
    """The alarm points of one furnace.

    Attributes
    ----------
    all
        By alarm id, parents before their children.
    by_scores
        Those that scores raise, in the same order.
    digests
        Of the ensembles that set-points on the score were made for.
    is_prepared
        There are set-points for another ensemble beside them.
    """

    all: Mapping[str, AlarmPoint]
    by_scores: tuple[AlarmPoint, ...]
    digests: frozenset[str]
    is_prepared: bool

    @classmethod
    def of(cls, points: Mapping[str, AlarmPoint]) -> Self:
        """Return points sorted out."""
        judged = (each for each in points.values() if each.condition not in WITHOUT_SCORE)
        digests = (point.setpoint_digest for point in judged)
        return cls(
            points,
            tuple(filter(is_by_scores, points.values())),
            frozenset(digest for digest in digests if digest is not None),
            any(point.prepared is not None for point in points.values()),
        )


class MasterAlarmList:
    """Alarm points by furnace: the topic's overrides, over the plant file, over the defaults.

    The system alarms belong to every furnace, whatever else is written for it.

    Parameters
    ----------
    plant
        Alarm points of each registered furnace; none stands for the default.
    prefix
        Topic prefix: what the alarms of the plant as a whole are named by.
    locale
        How the plant's people read.
    """

    def __init__(
        self,
        plant: Mapping[str, tuple[AlarmPoint, ...]],
        prefix: str = DEFAULT_PREFIX,
        locale: Locale = NOWHERE,
    ) -> None:
        self.locale = locale
        self._plant = plant
        self._plant_points = {
            point.alarm_id: point for point in system_points(plant_equipment(prefix), PLANT_ALARMS)
        }
        self.plant_equipment = plant_equipment(prefix)
        self._overrides: dict[str, dict[str, AlarmPoint]] = {}
        self._resolved: dict[str, FurnacePoints] = {}
        self._served: dict[str, str] = {}

    def hear_ensemble(self, furnace_id: str, digest: str) -> bool:
        """Note who judges a furnace now; tell whether other set-points are in force by that."""
        if self._served.get(furnace_id) == digest:
            return False
        before = self.points(furnace_id)
        self._served[furnace_id] = digest
        if not before.is_prepared:
            return False
        self._resolved.pop(furnace_id, None)
        after = self.points(furnace_id)
        return after.digests != before.digests

    def override(self, alarm_id: str, point: AlarmPoint | None) -> None:
        """Set an alarm point; None restores the one of the plant file or the default.

        Raises
        ------
        ContractViolation
            If the point would be its own parent, over however many others. A parent that does not
            exist yet masks nothing.
        """
        if point is not None:
            self._refuse_cycle(point)
        furnace_id, _ = split_alarm_id(alarm_id)
        points = self._overrides.setdefault(furnace_id, {})
        points.pop(alarm_id, None)
        if point is not None:
            points[alarm_id] = point
        if not points:
            del self._overrides[furnace_id]
        self._resolved.pop(furnace_id, None)

    def is_registered(self, furnace_id: str) -> bool:
        """Tell whether the furnace stands in the plant file; the plant as a whole counts, too."""
        return furnace_id in self._plant or furnace_id == self.plant_equipment

    @property
    def furnaces(self) -> Collection[str]:
        """The furnaces of the plant file."""
        return self._plant.keys()

    def names(self, alarm_id: str) -> bool:
        """Tell whether somebody has written this alarm point, or registered its furnace."""
        furnace_id, _ = split_alarm_id(alarm_id)
        is_written = alarm_id in self._overrides.get(furnace_id, {})
        is_registered = furnace_id in self._plant and alarm_id in self.of(furnace_id)
        return is_written or is_registered or alarm_id in self._plant_points

    def check_parents(self) -> None:
        """Refuse a plant file in which a parent does not exist or is masked by its own child.

        Raises
        ------
        ContractViolation
            With the alarm point in question.
        """
        for furnace_id in self._plant:
            for point in self.of(furnace_id).values():
                if point.masked_by is not None and not self.names(point.masked_by):
                    raise violation(
                        f"{point.alarm_id}: masked_by: expected an alarm point of this plant, "
                        f"got {point.masked_by!r}"
                    )
                self._refuse_cycle(point)

    def _refuse_cycle(self, point: AlarmPoint) -> None:
        above, waiting = set[str](), [*parents_of(point, self.plant_equipment)]
        while waiting:
            parent_id = waiting.pop()
            if parent_id == point.alarm_id:
                raise violation(
                    f"{point.alarm_id}: masked_by: expected parents that it does not mask itself, "
                    f"got {point.masked_by!r}"
                )
            if parent_id not in above:
                above.add(parent_id)
                parent = self.of(split_alarm_id(parent_id)[0]).get(parent_id)
                waiting += parents_of(parent, self.plant_equipment) if parent else ()

    def of(self, furnace_id: str) -> Mapping[str, AlarmPoint]:
        """Return the alarm points of a furnace by alarm id, parents before their children."""
        return self.points(furnace_id).all

    def points(self, furnace_id: str) -> FurnacePoints:
        """Return the alarm points of a furnace."""
        if furnace_id not in self._resolved:
            written = self._plant.get(furnace_id) or default_points(furnace_id)
            points = (*system_points(furnace_id, FURNACE_ALARMS), *written)
            base = {point.alarm_id: point for point in points}
            if furnace_id == self.plant_equipment:
                base |= self._plant_points
            written_now = (base | self._overrides.get(furnace_id, {})).items()
            digest = self._served.get(furnace_id)
            points_now = {alarm_id: point.under(digest) for alarm_id, point in written_now}
            self._resolved[furnace_id] = FurnacePoints.of(_parents_first(points_now))
        return self._resolved[furnace_id]


def _parents_first(points: Mapping[str, AlarmPoint]) -> dict[str, AlarmPoint]:
    """Order points so that what is judged first masks what comes after it."""

    def depth(point: AlarmPoint) -> int:
        count = 0
        while (parent := points.get(point.masked_by or "")) is not None and count < len(points):
            point, count = parent, count + 1
        return count

    return dict(sorted(points.items(), key=lambda item: depth(item[1])))
