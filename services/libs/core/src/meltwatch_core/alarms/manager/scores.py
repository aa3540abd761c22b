"""From scores to alarm records, and how far each scores partition has been judged.

The committed offset never passes the newest window of a furnace, nor the first window of a running
delay. Whoever takes over reads from there and knows the last windows and the delays again. The
position beside the offset says how much of that has been judged already.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import OutgoingRecord, RawRecord, header
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic

from meltwatch_core.alarms.alarm import Alarm, ReceivedScore
from meltwatch_core.alarms.condition import MAX_SILENCE_RECORDS
from meltwatch_core.alarms.judgement import judge, recall
from meltwatch_core.alarms.manager.scribe import Scribe
from meltwatch_core.alarms.manager.system import SystemDesk
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_core.alarms.system_alarms import HISTORY_GAP, gap_text
from meltwatch_core.alarms.trust import not_ahead, read_once
from meltwatch_core.alarms.watch import Watch

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest window of a furnace and model: its end in ns UTC and its offset."""

    end_ns: int
    offset: int


@dataclass(slots=True)
class PartitionProgress:
    """Reading state of one scores partition.

    Attributes
    ----------
    position
        Offset of the next record to judge or recall.
    judged
        Records below this offset were judged before a restart: they are only recalled.
    newest
        Newest window by (furnace id, model name), in the order of their offsets. After
        ``MAX_SILENCE_RECORDS`` further records of the partition it is forgotten, so that a silent
        furnace does not hold back the others.
    furnaces
        How many models' windows of each furnace are among them.
    """

    position: int
    judged: int = 0
    newest: OrderedDict[tuple[str, str], Newest] = field(default_factory=OrderedDict)
    furnaces: Counter[str] = field(default_factory=Counter)

    def is_history(self, offset: int) -> bool:
        """Tell whether a record was judged before a restart."""
        return offset < self.judged

    def admit(self, score: WindowScore, offset: int) -> bool:
        """Note a score; tell whether it is newer than all before it of its furnace and model."""
        source = (score.furnace_id, score.model.name)
        known = self.newest.get(source)
        if known is not None and offset - known.offset > MAX_SILENCE_RECORDS:
            known = None
        if known is not None and score.window_end_ns <= known.end_ns:
            return False
        if source not in self.newest:
            self.furnaces[score.furnace_id] += 1
        self.newest[source] = Newest(score.window_end_ns, offset)
        self.newest.move_to_end(source)
        return True

    def forget_silent(self) -> None:
        """Drop what has been silent for too long."""
        horizon = self.position - MAX_SILENCE_RECORDS
        while self.newest and next(iter(self.newest.values())).offset < horizon:
            (furnace_id, _), _ = self.newest.popitem(last=False)
            self.furnaces[furnace_id] -= 1
            if not self.furnaces[furnace_id]:
                del self.furnaces[furnace_id]

    def oldest_needed(self, delays: Iterable[int | None]) -> int:
        """Return the offset to commit.

        Parameters
        ----------
        delays
            For each alarm of the partition, the oldest offset that a running delay needs.
        """
        oldest = next(iter(self.newest.values())).offset if self.newest else self.position
        return min([oldest, *(offset for offset in delays if offset is not None)])


class ScoreDesk:
    """Judges scores, partition by partition.

    Parameters
    ----------
    scribe
        Keeps the alarms.
    watch
        Is told of every score.
    system
        Knows which alarms are masked.
    """

    def __init__(self, scribe: Scribe, watch: Watch, system: SystemDesk) -> None:
        self._scribe = scribe
        self._watch = watch
        self._system = system
        self._partitions: dict[int, PartitionProgress] = {}
        self._is_full = False

    def begin_partition(self, partition: int, start: int, judged: int) -> None:
        """Begin a partition at an offset; what lies below ``judged`` is only recalled."""
        self._partitions[partition] = PartitionProgress(start, judged)

    def is_history(self, record: RawRecord) -> bool:
        """Tell whether a record was judged before a restart."""
        return self._partitions[record.partition].is_history(record.offset)

    def pass_over(self, record: RawRecord) -> None:
        """Skip a record without looking at it."""
        self._partitions[record.partition].position = record.offset + 1

    def handle_score(self, record: RawRecord, now_ns: int) -> list[OutgoingRecord]:
        """Judge or recall a score; return what must be written because of it."""
        self.pass_over(record)
        progress = self._partitions[record.partition]
        is_history = self.is_history(record)
        try:
            score = not_ahead(read_once(record), now_ns)
        except ContractViolation as refusal:
            if is_history:
                return []
            return [self._scribe.set_aside(record, Topic.SCORES, refusal)]
        if not self._watch.admits(score.furnace_id):
            self._refuse(score.furnace_id)
            return []
        self._watch.hear(score, now_ns)
        if not progress.admit(score, record.offset):
            self._scribe.count(Topic.SCORES, "stale")
            return []
        self._scribe.count(Topic.SCORES, "recalled" if is_history else "judged")
        traceparent = header(record.headers, "traceparent")
        if self._scribe.registry.hear_ensemble(score.furnace_id, score.model.digest):
            _log.info("setpoint_in_force", furnace=score.furnace_id, digest=score.model.digest)
        is_foreign = self._scribe.registry.is_foreign(score.furnace_id, score.model.digest)
        received = ReceivedScore(score, record.offset, traceparent, is_foreign)
        return self._recall(received) if is_history else self._judge(received, now_ns)

    def _refuse(self, furnace_id: str) -> None:
        """Log once that there is no room; the counter says how much is refused."""
        self._scribe.count(Topic.SCORES, "refused")
        if not self._is_full:
            self._is_full = True
            limit = self._watch.max_furnaces
            _log.error("furnace_refused", furnace=furnace_id, max_furnaces=limit)

    def _recall(self, received: ReceivedScore) -> list[OutgoingRecord]:
        for alarm in self._scribe.registry.stirred_by(received):
            self._scribe.registry.put(recall(alarm, received))
        return []

    def _judge(self, received: ReceivedScore, now_ns: int) -> list[OutgoingRecord]:
        self._tell_gaps(received.score)
        written: list[OutgoingRecord] = []
        for alarm in self._scribe.registry.stirred_by(received):
            stamp, rules = self._scribe.stamp(now_ns), self._system.rules(alarm.point)
            after = judge(alarm, received, stamp, rules)
            written += self._scribe.keep(alarm, after)
        return written

    def _tell_gaps(self, score: WindowScore) -> None:
        """Report what the stream processor never read. Its own log says the same."""
        for topic, gap in score.gaps.items():
            cut = score.inputs.get(topic)
            where = f"{topic} partition {cut.partition}" if cut else topic
            self._system.report(HISTORY_GAP, f"{where}: {gap_text(gap)}")

    def commits(self) -> dict[Place, Commit]:
        """Return how far each partition is done."""
        # A calm alarm needs nothing read again.
        stirred = self._scribe.registry.stirred()
        return {
            Place(Topic.SCORES, partition): self._commit(progress, stirred)
            for partition, progress in self._partitions.items()
        }

    def _commit(self, progress: PartitionProgress, stirred: list[Alarm]) -> Commit:
        progress.forget_silent()
        delays = (
            alarm.needed_from(progress.position)
            for alarm in stirred
            if alarm.point.equipment_path in progress.furnaces
        )
        position = max(progress.position, progress.judged)
        return Commit(progress.oldest_needed(delays), position, self._scribe.epoch)
