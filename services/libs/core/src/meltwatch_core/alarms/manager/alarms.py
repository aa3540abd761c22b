"""From scores, commands and alarm points to alarm records, results and dead letters.

One ``AlarmPipeline`` is one reign of a manager: it is filled from the topics. When anything goes
wrong it is thrown away: everything in it can be read again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import structlog
from meltwatch_chassis.furnace_gauge import FurnaceGauge
from meltwatch_chassis.metrics import Metrics
from meltwatch_schemas.access import ACCESS, Principal
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.errors import violation
from meltwatch_schemas.identifiers import alarm_id_of
from meltwatch_schemas.record import OutgoingRecord, RawRecord, read_json
from meltwatch_schemas.roles import Roles
from meltwatch_schemas.topics import Topic

from meltwatch_core.alarms.authorship import MAX_OWN_EPOCH
from meltwatch_core.alarms.caution import GIVEN_UP, TRIED, WITHOUT_BYTES, Caution
from meltwatch_core.alarms.manager.commands import CommandDesk
from meltwatch_core.alarms.manager.outgoing import said
from meltwatch_core.alarms.manager.own_topics import OWN, OwnTopics
from meltwatch_core.alarms.manager.plant import PlantDesk
from meltwatch_core.alarms.manager.scores import ScoreDesk
from meltwatch_core.alarms.manager.scribe import Scribe
from meltwatch_core.alarms.manager.system import SystemDesk
from meltwatch_core.alarms.manager.upkeep import Upkeep
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_core.alarms.ports import Commit, Place, Trial, Written, no_trial
from meltwatch_core.alarms.registry import AlarmRegistry
from meltwatch_core.alarms.system_alarms import HISTORY_GAP
from meltwatch_core.alarms.watch import MAX_FURNACES, Watch, WatchSummary

_log = structlog.get_logger()
JUDGED: Final = ACCESS[Principal.ALARM_MANAGER].inputs
INPUTS: Final = (*JUDGED, *OWN)
OUTPUTS: Final = ACCESS[Principal.ALARM_MANAGER].outputs


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
    roles
        Who may do what; None takes everybody's word for it.
    outlives
        Tries a record over which managers have ended.
    """

    def __init__(
        self,
        master_list: MasterAlarmList,
        metrics: Metrics,
        prefix: str,
        max_furnaces: int = MAX_FURNACES,
        roles: Roles | None = None,
        outlives: Trial = no_trial,
    ) -> None:
        self._outlives = outlives
        self._registry = AlarmRegistry(master_list)
        self._watch = Watch(master_list.furnaces, max_furnaces)
        self._scribe = Scribe(self._registry, metrics)
        self._sight = WatchGauges(metrics)
        self._system = SystemDesk(self._scribe, self._watch, master_list.plant_equipment)
        self._upkeep = Upkeep(self._scribe, self._system.rules)
        self._commands = CommandDesk(self._scribe, roles)
        self._scores = ScoreDesk(self._scribe, self._watch, self._system)
        self._plant = PlantDesk(self._scribe, self._watch)
        self._own = OwnTopics(self._scribe, self._system)
        self._caution: Caution[Place] = Caution()
        self._positions: dict[Place, int] = {}
        self._topics = {topic.under(prefix): topic for topic in INPUTS}

    def trust(self, commits: Mapping[Place, Commit | None]) -> dict[Place, int | None]:
        """Take over what former managers have committed about records; before restoring any.

        Returns
        -------
        From where each partition is to be read; None stands for its present end.
        """
        own = self._own.trust(commits)
        known = {place: commit for place, commit in commits.items() if commit is not None}
        suspects = {place: c.suspect for place, c in known.items() if c.suspect is not None}
        set_aside = {place: commit.set_aside for place, commit in known.items()}
        self._caution = Caution(suspects, set_aside)
        return {place: c.offset if c else 0 for place, c in commits.items()} | own

    def restore_point(self, record: RawRecord) -> None:
        """Take over an alarm point; ``handle_record`` sets aside what is refused."""
        try:
            self._plant.restore_point(record)
        except Exception as error:  # noqa: BLE001 - whatever it holds, it ends nothing
            _log.debug("alarm_point_refused", offset=record.offset, detail=said(error))

    def restore_state(self, record: RawRecord) -> None:
        """Take over a furnace's state; ``handle_record`` sets aside what is refused."""
        try:
            self._plant.restore_state(record)
        except Exception as error:  # noqa: BLE001 - whatever it holds, it ends nothing
            _log.debug("furnace_state_refused", offset=record.offset, detail=said(error))

    def restore_alarm(self, record: RawRecord) -> None:
        """Take over one record of the alarms topic, in its order, if a manager wrote it."""
        if not self._own.is_own(Topic.ALARMS, record):
            return
        try:
            if record.value is None:
                self._registry.forget(alarm_id_of(record.key))
                return
            alarm_record = read_json(record, AlarmRecord)
            self._registry.restore(alarm_record)
            self._watch.remember(alarm_record)
        except Exception as error:  # noqa: BLE001 - whatever it holds, it ends nothing
            _log.error("alarm_record_refused", offset=record.offset, detail=said(error))
            return
        # A higher epoch is somebody's claim: to follow it would use up the numbers.
        if alarm_record.epoch <= MAX_OWN_EPOCH:
            self._scribe.epoch = max(self._scribe.epoch, alarm_record.epoch)

    def restore_result(self, record: RawRecord) -> None:
        """Take over the id of a command that was answered, if a manager wrote it."""
        if self._own.is_own(Topic.ALARM_RESULTS, record):
            self._commands.restore(record)

    def restore_beat(self, record: RawRecord) -> None:
        """Take over a sign of life of an adapter: who was there may be missed."""
        self._own.restore_beat(record)

    def begin_reign(
        self, commits: Mapping[Place, Commit | None], unread: Mapping[Place, range]
    ) -> int:
        """Begin a new epoch where the last one left off.

        Parameters
        ----------
        commits
            What was committed for each partition.
        unread
            From where each partition is really read, up to its present end.

        Returns
        -------
        The epoch: one more than any that is known.
        """
        known = [commit.epoch for commit in commits.values() if commit is not None]
        self._scribe.epoch = max(self._scribe.epoch, *known, 0) + 1
        self._caution.begin_reign({place: offsets.stop for place, offsets in unread.items()})
        for place, offsets in unread.items():
            start = offsets.start
            self._begin(place, start, commits[place] or Commit(start, start, 0))
        self._system.take_over_masks()
        return self._scribe.epoch

    @property
    def epoch(self) -> int:
        """Generation of the manager whose reign this is."""
        return self._scribe.epoch

    def alarm_records(self) -> Iterable[AlarmRecord]:
        """Return the last record of every alarm that there is."""
        return self._registry.records()

    def retell(self, records: Iterable[AlarmRecord], now_ns: int) -> list[OutgoingRecord]:
        """Return alarms anew that the topic does not know: it was deleted and made again.

        Parameters
        ----------
        records
            The last one of each alarm, as they stood in the topic that is no more.
        now_ns
            Wall clock, ns UTC.
        """
        written: list[OutgoingRecord] = []
        for record in records:
            known = self._registry.last_known(record.alarm_id)
            if known is None or known.record is None:
                self._registry.restore(record)
                self._watch.remember(record)
                alarm = self._registry.last_known(record.alarm_id)
                written += self._scribe.restate(alarm, now_ns) if alarm else []
        self._system.take_over_masks()
        return written

    def _begin(self, place: Place, start: int, commit: Commit) -> None:
        if place.topic in OWN:
            self._own.begin_topic(place, start)
            return
        if start != commit.offset:
            self._tell_gap(place, commit.offset, start)
        if place.topic is Topic.SCORES:
            # Reading starts before the commit only if the topic was made again: nothing of it was
            # judged.
            judged = commit.position if start >= commit.offset else start
            self._scores.begin_partition(place.partition, start, judged)
        else:
            self._positions[place] = start

    def _tell_gap(self, place: Place, expected: int, start: int) -> None:
        where = {"topic": place.topic.value, "partition": place.partition}
        _log.error("history_gap", **where, committed=expected, start=start)
        self.report(
            HISTORY_GAP,
            f"{place.topic.value} partition {place.partition}: expected offset {expected}, "
            f"got {start}",
        )

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

    def tick(self, now_ns: int, read_until_ns: int | None) -> list[OutgoingRecord]:
        """Judge what follows from the clock, about once a second; return what must be written.

        Parameters
        ----------
        now_ns
            Wall clock, ns UTC.
        read_until_ns
            All scores that were written before this instant have been handled; None if that has
            not been found out anew.
        """
        try:
            with self._registry.all_or_nothing():
                # First the system's own alarms: a parent among them suppresses its children.
                judged = self._system.tick(now_ns, read_until_ns)
                return [*judged, *self._upkeep.tick(now_ns)]
        except Exception as error:  # noqa: BLE001 - whatever was watched, it ends nothing
            _log.error("tick_failed", error=said(error))
            return []

    def name(self, record: RawRecord, last: int) -> bool:
        """Name the record that comes next, if it is among the first new ones of its partition.

        Parameters
        ----------
        record
            The next one.
        last
            Offset of the last record of its partition that was read with it.

        Returns
        -------
        Whether something is newly named: then that must be committed before it is handled.
        """
        place = self._place(record)
        if place.topic in OWN:
            is_known = self._own.is_own(place.topic, record)
        else:
            is_known = place.topic is Topic.SCORES and self._scores.is_history(record)
        return not is_known and self._caution.name(place, record.offset, last)

    def _place(self, record: RawRecord) -> Place:
        return Place(self._topics[record.topic], record.partition)

    def handle_record(self, record: RawRecord, now_ns: int) -> list[OutgoingRecord]:
        """Judge a record and return what must be written because of it, whatever it holds.

        Parameters
        ----------
        record
            The next one of its partition.
        now_ns
            Wall clock, ns UTC.
        """
        place = self._place(record)
        if self._caution.is_set_aside(place, record.offset):
            self._pass_over(place, record)
            return []
        times = self._caution.times_found(place, record.offset)
        if times >= TRIED and self._is_deadly(place, record, times, now_ns):
            return self._give_up(place, record, times)
        try:
            # What fails half-way must leave no alarm half changed.
            with self._registry.all_or_nothing():
                return self._judge(place.topic, record, now_ns)
        except Exception as error:  # noqa: BLE001 - whatever it holds, it ends nothing
            return self._fail(place, record, said(error))

    def _judge(self, topic: Topic, record: RawRecord, now_ns: int) -> list[OutgoingRecord]:
        if topic is Topic.SCORES:
            return self._scores.handle_score(record, now_ns)
        if topic in OWN:
            put_right = self._own.handle_own_record(topic, record, now_ns)
            # The correction begins a new epoch: a heartbeat says so at once.
            return [*put_right, self.heartbeat(now_ns)] if put_right else []
        self._positions[Place(topic, record.partition)] = record.offset + 1
        if topic is Topic.ALARM_COMMANDS:
            written = self._commands.handle_command(record, now_ns)
            for each in written:
                if each.topic is Topic.ALARMS and each.value is None:
                    self._system.forget(alarm_id_of(each.key))
            return written
        if topic is Topic.FURNACE_STATES:
            return self._plant.handle_state(record, now_ns)
        return self._plant.handle_point(record)

    def _is_deadly(self, place: Place, record: RawRecord, times: int, now_ns: int) -> bool:
        """Tell of a record over which managers have ended whether it was to blame."""
        if times >= GIVEN_UP:
            return True
        is_harmless = self._outlives(lambda: self._judge(place.topic, record, now_ns))
        _log.warning(
            "record_tried", topic=place.topic.value, partition=place.partition,
            offset=record.offset, ended=times, is_harmless=is_harmless,
        )  # fmt: skip
        return not is_harmless

    def _give_up(self, place: Place, record: RawRecord, times: int) -> list[OutgoingRecord]:
        """Set aside a record that has ended the manager before; in the end without its bytes."""
        self._pass_over(place, record)
        self._caution.set_aside(place, record.offset)
        if times >= WITHOUT_BYTES:
            record = replace(record, key=None, value=None, headers=())
        return self._fail(place, record, f"the alarm manager ended {times} times over this record")

    def _pass_over(self, place: Place, record: RawRecord) -> None:
        if place.topic is Topic.SCORES:
            self._scores.pass_over(record)
        elif place.topic in OWN:
            self._own.pass_over(place, record)
        else:
            self._positions[place] = record.offset + 1

    def _fail(self, place: Place, record: RawRecord, why: str) -> list[OutgoingRecord]:
        _log.error(
            "record_failed",
            topic=place.topic.value,
            partition=place.partition,
            offset=record.offset,
            error=why,
        )
        if place.topic is Topic.SCORES and self._scores.is_history(record):
            return []  # it was set aside when it was judged
        return [self._scribe.set_aside(record, place.topic, violation(why))]

    def heartbeat(self, now_ns: int) -> OutgoingRecord:
        """Return a sign of life."""
        summary = self._watch.summary(now_ns)
        self._sight.show(summary)
        return self._scribe.heartbeat(now_ns, summary)

    def commits(self, written: Written = ()) -> dict[Place, Commit]:
        """Return what may be committed with everything returned so far.

        Parameters
        ----------
        written
            Where the records of the transaction stand.
        """
        plain = {
            place: Commit(position, position, self._scribe.epoch)
            for place, position in self._positions.items()
        }
        found = plain | self._scores.commits() | self._own.commits(written)
        return {place: self._with_caution(place, commit) for place, commit in found.items()}

    def _with_caution(self, place: Place, commit: Commit) -> Commit:
        suspect = self._caution.suspect(place)
        # All named records are judged now, so none of them can end the reign any more.
        if suspect is not None and suspect.last < commit.position:
            suspect = None
        return replace(
            commit,
            suspect=suspect,
            set_aside=self._caution.given_up(place, commit.offset),
        )


class WatchGauges:
    """Shows what is watched. A furnace that is no longer watched has no value any more.

    Parameters
    ----------
    metrics
        Where to show it.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._ages = FurnaceGauge(metrics.verdict_age)

    def show(self, summary: WatchSummary | None) -> None:
        """Show it; None while nothing is known changes nothing."""
        if summary is None:
            return
        self._metrics.furnaces_watched.set(summary.watched)
        self._metrics.furnaces_blind.set(summary.blind)
        self._ages.show(summary.ages_s)
