"""The alarm manager again, under a virtual clock: restored, recalled, then judging."""

from collections.abc import Callable, Iterable
from typing import Final

from meltwatch_chassis.metrics import Metrics
from meltwatch_core.alarms.manager.alarms import AlarmPipeline
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.record import OutgoingRecord, RawRecord, headers_for
from meltwatch_schemas.score import SCHEMA, WindowScore, encode_score
from meltwatch_schemas.topics import Topic, timestamp_ms

from meltwatch_backtester.domain.journal import JournalMoment, compared
from meltwatch_backtester.domain.thresholds import TriedAlarmList
from meltwatch_backtester.pipeline.alarm_inputs import AlarmInputs, addressed_again

_EVERYTHING: Final = 2**62
_LONG_AFTER_NS: Final = 2**62
"""No window was in the future when it was judged; so the replay must not refuse it."""


class ReplayedAlarms:
    """The alarms of one partition of scores.

    Begins as a manager does that was restarted: from the journal's last records before the span,
    with the running delays that the scores before it recall.

    Parameters
    ----------
    partition
        Of the scores.
    inputs
        What the manager read beside scores.
    points
        The master alarm list, with the thresholds to be tried.
    prefix
        Topic prefix.
    """

    def __init__(
        self, partition: int, inputs: AlarmInputs, points: TriedAlarmList, prefix: str
    ) -> None:
        self._pipeline = AlarmPipeline(points, Metrics(), prefix)
        self._partition = partition
        self._topic = Topic.SCORES.under(prefix)
        self._journal = inputs.journal
        self._instructions = list(reversed(inputs.instructions))
        self._place = JournalMoment(0)
        self._offset = 0
        self._same_events: dict[str, str] = {}
        self._agreed: dict[str, int] = {}
        for raw in inputs.points_before:
            self._pipeline.restore_point(raw)
        for raw in inputs.journal.before:
            self._pipeline.restore_alarm(raw)
        self._begin(judged=_EVERYTHING)

    def recall(self, raw: RawRecord) -> None:
        """Take a score before the span: it raises nothing, delays run on from it."""
        self._pipeline.handle_record(raw, _LONG_AFTER_NS)
        self._offset = raw.offset

    def begin_judging(self) -> None:
        """Judge from now on."""
        self._begin(judged=0)

    def judge(self, score: WindowScore, offset: int | None) -> list[AlarmRecord]:
        """Judge a score, and before it what had been commanded by then.

        Parameters
        ----------
        score
            The next one of its furnace.
        offset
            Where live's stands, or None for the next one.
        """
        told = self._journal.judged(score.furnace_id, score.window_end_ns)
        self._place = max(self._place, told or JournalMoment(score.times.published_ns))
        records = self._obey(lambda place: place < self._place)
        self._offset = self._offset + 1 if offset is None else offset
        raw = RawRecord(
            topic=self._topic,
            partition=self._partition,
            offset=self._offset,
            timestamp_ms=timestamp_ms(score.window_end_ns),
            key=score.furnace_id.encode(),
            value=encode_score(score),
            headers=tuple(headers_for(SCHEMA)),
        )
        return [*records, *self._taken(self._pipeline.handle_record(raw, self._place.at_ns))]

    def finish(self, end_ns: int) -> list[AlarmRecord]:
        """Carry out the commands before an instant, wall clock, that follow the last score."""
        return self._obey(lambda place: place.at_ns < end_ns)

    @property
    def reached_ns(self) -> int:
        """Where the virtual clock stands."""
        return self._place.at_ns

    def _begin(self, judged: int) -> None:
        part = Place(Topic.SCORES, self._partition)
        self._pipeline.begin_reign({part: Commit(0, judged, 0)}, {part: 0})

    def _obey(self, is_due: Callable[[JournalMoment], bool]) -> list[AlarmRecord]:
        records: list[AlarmRecord] = []
        while self._instructions and is_due(self._instructions[-1].place):
            due = self._instructions.pop()
            raw = addressed_again(due.raw, self._same_events)
            records += self._taken(self._pipeline.handle_record(raw, due.place.at_ns))
        return records

    def _taken(self, written: Iterable[OutgoingRecord]) -> list[AlarmRecord]:
        records = [
            AlarmRecord.from_json(out.value)
            for out in written
            if out.topic is Topic.ALARMS and out.value is not None
        ]
        for record in records:
            self._note_same(record)
        return records

    def _note_same(self, record: AlarmRecord) -> None:
        """Remember that an event of the live journal and one of ours are the same transition."""
        live, number = (
            self._journal.within.get(record.alarm_id, []),
            self._agreed.get(record.alarm_id, 0),
        )
        if number < len(live) and compared(live[number]) == compared(record):
            self._same_events[live[number].event_id] = record.event_id
            self._agreed[record.alarm_id] = number + 1
        else:
            self._agreed[record.alarm_id] = len(live)
