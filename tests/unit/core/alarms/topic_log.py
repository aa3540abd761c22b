"""Kafka as the alarm pipeline sees it, in memory: a log of scores, what was written, one commit.

A fake of the guarantees that the pipeline builds on: what is written and what is committed
change together or not at all, and reading starts again at what was committed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from meltwatch_chassis.metrics import Metrics
from meltwatch_core.alarms.manager.alarms import AlarmPipeline
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_core.alarms.ports import Commit, Place, Trial, no_trial
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.locale import NOWHERE, Locale
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.roles import Roles
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic

from tests.unit.core.alarms.samples import PREFIX, score_record

SCORES = Place(Topic.SCORES, 0)
COMMANDS = Place(Topic.ALARM_COMMANDS, 0)
POINTS = Place(Topic.ALARM_POINTS, 0)
STATES = Place(Topic.FURNACE_STATES, 0)
ALARMS = Place(Topic.ALARMS, 0)
RESULTS = Place(Topic.ALARM_RESULTS, 0)
HEARTBEATS = Place(Topic.HEARTBEATS, 0)
NOW_NS = 1_800_000_000_000_000_000
FAR = 2**40


@dataclass
class TopicLog:
    """One manager after another works on it.

    Attributes
    ----------
    points
        Alarm points of registered furnaces.
    written
        Everything that was ever written.
    transactions
        Which of it was written at once. Behind a transaction each topic holds a commit marker,
        which takes an offset and is read by nobody.
    """

    points: dict[str, tuple[AlarmPoint, ...]] = field(default_factory=dict)
    written: list[OutgoingRecord] = field(default_factory=list)
    transactions: list[range] = field(default_factory=list)
    max_furnaces: int = 2000
    locale: Locale = NOWHERE
    roles: Roles | None = None
    outlives: Trial = no_trial
    commits: dict[Place, Commit | None] = field(
        default_factory=lambda: dict.fromkeys(
            (SCORES, COMMANDS, POINTS, STATES, ALARMS, RESULTS, HEARTBEATS)
        )
    )

    def take_over(self) -> AlarmPipeline:
        """Return the pipeline of a new manager, filled from what was written."""
        pipeline = AlarmPipeline(
            MasterAlarmList(self.points, PREFIX, self.locale),
            Metrics(),
            PREFIX,
            self.max_furnaces,
            self.roles,
            self.outlives,
        )
        wanted = pipeline.trust(self.commits)
        for record in self.read(Topic.ALARMS):
            pipeline.restore_alarm(record)
        for record in self.read(Topic.ALARM_RESULTS):
            pipeline.restore_result(record)
        # What tests hand over later stands there already, for all that the manager knows.
        unread = {
            place: range(self.end(place.topic) if offset is None else offset, FAR)
            for place, offset in wanted.items()
        }
        pipeline.begin_reign(self.commits, unread)
        return pipeline

    def commit(self, place: Place) -> Commit:
        """Return what was committed for a partition."""
        commit = self.commits[place]
        assert commit is not None
        return commit

    def write(self, records: Sequence[OutgoingRecord], pipeline: AlarmPipeline) -> None:
        """Write a transaction."""
        self.commits = dict(pipeline.commits(self.append(records)))

    def append(self, records: Sequence[OutgoingRecord]) -> list[tuple[Place, int]]:
        """Write records at once; return where each stands."""
        ends = {record.topic: self.end(record.topic) for record in records}
        placed = []
        for record in records:
            placed.append((Place(record.topic, 0), ends[record.topic]))
            ends[record.topic] += 1
        begin = len(self.written)
        self.written += records
        self.transactions.append(range(begin, len(self.written)))
        return placed

    def read(self, topic: Topic, begin: int = 0) -> list[RawRecord]:
        """Return a topic's records from an offset on, as a consumer gets them."""
        return [as_read(out, offset) for offset, out in self._placed(topic) if offset >= begin]

    def end(self, topic: Topic) -> int:
        """Return the offset behind a topic's last record and its commit marker."""
        markers = sum(self._writes(topic, each) for each in self.transactions)
        return len(self.of(topic)) + markers

    def _placed(self, topic: Topic) -> Iterator[tuple[int, OutgoingRecord]]:
        last_of = {each[-1]: each for each in self.transactions if each}
        offset = 0
        for index, record in enumerate(self.written):
            if record.topic is topic:
                yield offset, record
                offset += 1
            if index in last_of:
                offset += self._writes(topic, last_of[index])

    def _writes(self, topic: Topic, transaction: range) -> bool:
        return any(self.written[index].topic is topic for index in transaction)

    def of(self, topic: Topic) -> list[OutgoingRecord]:
        """Return what was written to a topic."""
        return [record for record in self.written if record.topic is topic]

    def alarms(self) -> list[AlarmRecord]:
        """Return the alarms topic without its tombstones."""
        values = (record.value for record in self.of(Topic.ALARMS))
        return [AlarmRecord.from_json(value) for value in values if value is not None]

    def judge(self, scores: Sequence[WindowScore], begin: int = 0) -> AlarmPipeline:
        """Let a new manager judge scores and write everything at once."""
        pipeline = self.take_over()
        written = []
        for offset, made in enumerate(scores, begin):
            written += pipeline.handle_record(score_record(made, offset), NOW_NS)
        self.write(written, pipeline)
        return pipeline


def as_read(record: OutgoingRecord, offset: int) -> RawRecord:
    """Return a written record as a consumer gets it."""
    return RawRecord(
        topic=record.topic.under(PREFIX),
        partition=0,
        offset=offset,
        timestamp_ms=NOW_NS // 1_000_000,
        key=record.key,
        value=record.value,
        headers=record.headers,
    )


def without_run(record: AlarmRecord) -> AlarmRecord:
    """Return a record without what may differ between two managers' lives."""
    times = record.times.model_copy(update={"published": record.times.event})
    return record.model_copy(
        update={"epoch": 0, "seq": 0, "event_id": "", "annunciation_id": None, "times": times}
    )
