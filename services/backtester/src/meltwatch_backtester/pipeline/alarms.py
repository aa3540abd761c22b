"""The alarm manager again, under a virtual clock, and what there was to be seen when it raised."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

import numpy as np
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.alarms.manager.alarms import AlarmPipeline
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_core.alarms.system_alarms import SYSTEM
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.record import OutgoingRecord, RawRecord, headers_for, read_embedding
from meltwatch_schemas.score import SCHEMA, WindowScore, encode_score
from meltwatch_schemas.score_topics import NewestFrame
from meltwatch_schemas.topics import Topic, timestamp_ms
from numpy.typing import NDArray

from meltwatch_backtester.domain.journal import JournalMoment, compared
from meltwatch_backtester.domain.sight import Sight
from meltwatch_backtester.domain.thresholds import TriedAlarmList
from meltwatch_backtester.pipeline.alarm_inputs import AlarmInputs, addressed_again
from meltwatch_backtester.ports import History, TopicPart

_NO_VIDEO: Final = "no video"
_GONE: Final = "the frame is not in this history"
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
        self._pipeline.begin_reign({part: Commit(0, judged, 0)}, {part: range(0)})

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


class RaiseWatch:
    """Finds the windows of one partition in which an alarm was raised, and looks at them.

    Parameters
    ----------
    history, partition
        Where frames are read.
    encoder
        In which they are embedded.
    live
        Records of the live journal.
    """

    def __init__(
        self, history: History, partition: int, encoder: Encoder, live: Iterable[AlarmRecord]
    ) -> None:
        self._history = history
        self._part = TopicPart(Topic.EMBEDDINGS, partition)
        self._encoder = encoder
        self._raised = {_window(record) for record in live if _is_raise(record)}

    def is_raise(self, score: WindowScore, records: Iterable[AlarmRecord]) -> bool:
        """Tell whether live raised an alarm in a window, or the replay did by these records."""
        is_ours = any(map(_is_raise, records))
        return is_ours or (score.furnace_id, utc_from_ns(score.window_end_ns)) in self._raised

    def look(self, score: WindowScore) -> Sight:
        """Return what there was to be seen in a window."""
        where = score.furnace_id, score.window_end_ns
        if not score.frames:
            return Sight(*where, None, score.anomaly_map, _NO_VIDEO)
        frame = self._frame(score.furnace_id, score.frames[-1])
        return Sight(*where, frame, score.anomaly_map, "" if frame is not None else _GONE)

    def _frame(self, furnace_id: str, place: NewestFrame) -> NDArray[np.uint8] | None:
        chunk = self._chunk(place.offset)
        if chunk is None or chunk.identity.furnace_id != furnace_id:
            return None
        times_ns = chunk.event_times_ns.tolist()
        if place.event_ns not in times_ns or chunk.encoder_id != self._encoder.encoder_id:
            return None
        index = times_ns.index(place.event_ns)
        frame: NDArray[np.uint8] = self._encoder.decode(chunk.data[index : index + 1])[0]
        return frame

    def _chunk(self, offset: int) -> EmbeddingChunk | None:
        for raw in self._history.read(self._part, offset, offset + 1):
            try:
                return read_embedding(raw)
            except ContractViolation:
                return None
        return None


def _is_raise(record: AlarmRecord) -> bool:
    return record.transition.cause == "RAISE" and record.class_ != SYSTEM


def _window(record: AlarmRecord) -> tuple[str, datetime]:
    return record.equipment_path, record.evidence.window_end
