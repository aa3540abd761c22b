"""From scores, commands and alarm points to alarm records, results and dead letters.

One ``AlarmPipeline`` is one reign of a manager: it is filled from the topics, and thrown away when
anything goes wrong, because everything in it can be read again.
"""

from collections.abc import Mapping
from typing import Final

import structlog
from meltwatch_chassis.metrics import Metrics
from meltwatch_schemas.alarm import AlarmPoint, AlarmRecord
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.outside import FurnaceState, FurnaceStateWord
from meltwatch_schemas.point_rules import check_point
from meltwatch_schemas.record import RawRecord, read_json
from meltwatch_schemas.topics import Topic

from meltwatch_alarm_manager.domain.command import alarm_id_of, furnace_id_of
from meltwatch_alarm_manager.domain.points import MasterAlarmList
from meltwatch_alarm_manager.domain.registry import AlarmRegistry
from meltwatch_alarm_manager.domain.system_alarms import HISTORY_GAP
from meltwatch_alarm_manager.domain.watch import MAX_FURNACES, Watch
from meltwatch_alarm_manager.pipeline.commands import CommandDesk
from meltwatch_alarm_manager.pipeline.scores import ScoreDesk
from meltwatch_alarm_manager.pipeline.scribe import Scribe
from meltwatch_alarm_manager.pipeline.sight_gauges import SightGauges
from meltwatch_alarm_manager.pipeline.system import SystemDesk
from meltwatch_alarm_manager.ports import Commit, Outgoing, Place

_log = structlog.get_logger()
INPUTS: Final = (
    Topic.SCORES,
    Topic.ALARM_COMMANDS,
    Topic.ALARM_POINTS,
    Topic.FURNACE_STATES,
)

OUTPUTS: Final = (Topic.ALARMS, Topic.ALARM_RESULTS, Topic.HEARTBEATS, Topic.DEAD_LETTERS)


class AlarmPipeline:
    """Judges records one after another.

    Parameters
    ----------
    master_list
        Alarm points as the plant file has them.
    metrics
        What is counted.
    prefix
        Topic prefix.
    max_furnaces
        Most furnaces that are judged.
    """

    def __init__(
        self,
        master_list: MasterAlarmList,
        metrics: Metrics,
        prefix: str,
        max_furnaces: int = MAX_FURNACES,
    ) -> None:
        self._registry = AlarmRegistry(master_list)
        self._watch = Watch(master_list.furnaces, max_furnaces)
        self._scribe = Scribe(self._registry, metrics)
        self._sight = SightGauges(metrics)
        self._system = SystemDesk(self._scribe, self._watch, master_list.plant_equipment)
        self._commands = CommandDesk(self._scribe)
        self._scores = ScoreDesk(self._scribe, self._watch, self._system)
        self._positions: dict[Place, int] = {}
        self._topics = {topic.under(prefix): topic for topic in INPUTS}

    def restore_point(self, record: RawRecord) -> None:
        """Take over an alarm point; what is refused ``handle`` sets aside when it comes to it."""
        try:
            self._registry.override(*_read_point(record))
        except ContractViolation:
            return

    def restore_state(self, record: RawRecord) -> None:
        """Take over what a plant says of a furnace; what is refused ``handle`` sets aside."""
        try:
            self._watch.take_state(*_read_state(record), 0)
        except ContractViolation:
            return

    def restore_alarm(self, record: RawRecord) -> None:
        """Take over one record of the alarms topic, in its order."""
        if record.value is None:
            return
        try:
            alarm_record = read_json(record, AlarmRecord)
        except ContractViolation as refusal:
            _log.error("alarm_record_refused", offset=record.offset, detail=refusal.detail)
            return
        self._registry.restore(alarm_record)
        self._watch.remember(alarm_record)
        self._scribe.epoch = max(self._scribe.epoch, alarm_record.epoch)

    def restore_result(self, record: RawRecord) -> None:
        """Take over the id of a command that was answered."""
        self._commands.restore(record)

    def begin(self, commits: Mapping[Place, Commit | None], starts: Mapping[Place, int]) -> int:
        """Begin a new epoch where the last one left off.

        Parameters
        ----------
        commits
            What was committed for each partition.
        starts
            Where reading really starts.

        Returns
        -------
        The epoch: one more than any that is known.
        """
        known = [commit.epoch for commit in commits.values() if commit is not None]
        self._scribe.epoch = max(self._scribe.epoch, *known, 0) + 1
        for place, start in starts.items():
            commit = commits[place] or Commit(start, start, 0)
            if start != commit.offset:
                _log.error(
                    "history_gap",
                    topic=place.topic.value,
                    partition=place.partition,
                    committed=commit.offset,
                    start=start,
                )
                self.report(
                    HISTORY_GAP,
                    f"{place.topic.value} partition {place.partition}: expected offset "
                    f"{commit.offset}, got {start}",
                )
            if place.topic is Topic.SCORES:
                judged = commit.position if start >= commit.offset else start
                self._scores.begin(place.partition, start, judged)
            else:
                self._positions[place] = start
        self._system.begin()
        return self._scribe.epoch

    def report(self, condition: str, detail: str) -> None:
        """Raise a plant-wide alarm that is judged by reports, with the next tick.

        Parameters
        ----------
        condition
            ``FOREIGN_WRITER`` or ``HISTORY_GAP``.
        detail
            What was seen, for a person; may hold text from outside.
        """
        self._system.report(condition, detail)

    def tick(self, now_ns: int, read_until_ns: int | None) -> list[Outgoing]:
        """Judge what no record tells, about once a second; return what must be written.

        Parameters
        ----------
        now_ns
            Wall clock, ns UTC.
        read_until_ns
            All scores that were written before this instant have been handled; None if that has
            not been found out anew.
        """
        return self._system.tick(now_ns, read_until_ns)

    def handle(self, record: RawRecord, now_ns: int) -> list[Outgoing]:
        """Judge a record and return what must be written because of it.

        Parameters
        ----------
        record
            The next one of its partition.
        now_ns
            Wall clock, ns UTC.
        """
        topic = self._topics[record.topic]
        if topic is Topic.SCORES:
            return self._scores.handle(record, now_ns)
        self._positions[Place(topic, record.partition)] = record.offset + 1
        if topic is Topic.ALARM_COMMANDS:
            return self._commands.handle(record, now_ns)
        if topic is Topic.FURNACE_STATES:
            return self._take_state(record, now_ns)
        return self._take_point(record)

    def _take_state(self, record: RawRecord, now_ns: int) -> list[Outgoing]:
        try:
            furnace_id, state = _read_state(record)
        except ContractViolation as refusal:
            return [self._scribe.set_aside(record, Topic.FURNACE_STATES, refusal)]
        self._watch.take_state(furnace_id, state, now_ns)
        self._scribe.count(Topic.FURNACE_STATES, "taken")
        return []

    def _take_point(self, record: RawRecord) -> list[Outgoing]:
        try:
            self._registry.override(*_read_point(record))
        except ContractViolation as refusal:
            return [self._scribe.set_aside(record, Topic.ALARM_POINTS, refusal)]
        self._scribe.count(Topic.ALARM_POINTS, "taken")
        return []

    def heartbeat(self, now_ns: int) -> Outgoing:
        """Return a sign of life."""
        sighted = self._watch.sighted(now_ns)
        self._sight.show(sighted)
        return self._scribe.heartbeat(now_ns, sighted)

    def commits(self) -> dict[Place, Commit]:
        """Return what may be committed once everything returned so far is written."""
        plain = {
            place: Commit(position, position, self._scribe.epoch)
            for place, position in self._positions.items()
        }
        return plain | self._scores.commits()


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
