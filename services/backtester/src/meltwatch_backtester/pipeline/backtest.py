"""A span of history through the code that judges live, partition by partition."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.tasks import cancel, while_lasting
from meltwatch_core.join.restore import Past, ScoresTail
from meltwatch_core.scoring.judge import Judge
from meltwatch_core.scoring.scores import ScoreContext
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.point_rules import PROCESS
from meltwatch_schemas.record import read_json
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic

from meltwatch_backtester.domain.alarm_comparison import differences
from meltwatch_backtester.domain.findings import Findings
from meltwatch_backtester.domain.outcome import ReplayOutcome
from meltwatch_backtester.domain.question import Cuts, PlantFacts, Question
from meltwatch_backtester.domain.sight import MAX_SIGHTS
from meltwatch_backtester.domain.tally import Tally
from meltwatch_backtester.domain.thresholds import TriedAlarmList
from meltwatch_backtester.domain.window_comparison import Kind
from meltwatch_backtester.pipeline.alarm_inputs import AlarmInputs, read_alarm_inputs
from meltwatch_backtester.pipeline.alarms import RaiseWatch, ReplayedAlarms
from meltwatch_backtester.pipeline.event_time_windows import event_time_windows
from meltwatch_backtester.pipeline.live_scores import scores_before
from meltwatch_backtester.pipeline.recorded_windows import recorded_windows
from meltwatch_backtester.pipeline.replayed import Replayed, Source
from meltwatch_backtester.pipeline.replayed_novelty import ReplayedNovelty, read_portraits
from meltwatch_backtester.pipeline.rescoring import Rescoring
from meltwatch_backtester.pipeline.scope import Scope
from meltwatch_backtester.ports import History


class Results(Protocol):
    """Takes the windows, which are too many to be kept in memory."""

    def recalled(self, score: WindowScore) -> None:
        """Take a score before the span: delays that run on from it began there."""
        ...

    def window(
        self,
        score: WindowScore | None,
        live: WindowScore | None,
        kind: Kind | None,
        *,
        is_late: bool,
    ) -> None:
        """Take the next window: the replayed score, the live one, and how they differ."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """One run.

    Attributes
    ----------
    history, scope
        What live left behind, and what of it is needed.
    question, plant
        What is asked.
    judge, encoder, context
        The ensemble, and what all its scores have in common.
    run_id
        Stamped into scores and alarms.
    results
        Where windows go.
    partition_of
        The partition of a furnace.
    on_records
        Told how many input records further it is.
    """

    history: History
    scope: Scope
    question: Question
    plant: PlantFacts
    judge: Judge
    encoder: Encoder
    context: ScoreContext
    run_id: str
    results: Results
    partition_of: Callable[[str], int]
    on_records: Callable[[int], None]

    async def replay_span(self) -> ReplayOutcome:
        """Replay all partitions.

        Raises
        ------
        DependencyUnreachable
            If the broker is away, or no model answers for longer than live would wait.
        FatalError
            If the ensemble is another one all of a sudden.
        """
        with_cuts = self.question.cuts is Cuts.RECORDED
        outcome = ReplayOutcome(Findings(with_cuts=with_cuts), Tally())
        watching = asyncio.create_task(self._watch_the_scorer())
        try:
            for partition in self._partitions():
                await while_lasting(watching, self._replay(partition, outcome))
        finally:
            await cancel([watching])
        return outcome

    async def _watch_the_scorer(self) -> None:
        await self.judge.watch()
        raise FatalError("expected the watch over the scorer to last, it ended")

    def _partitions(self) -> list[int]:
        return sorted({part.partition for part in self.scope if part.topic is Topic.SCORES})

    async def _replay(self, partition: int, outcome: ReplayOutcome) -> None:
        points = TriedAlarmList(self.plant.points, self.question.thresholds)
        inputs = await asyncio.to_thread(self._alarm_inputs, partition)
        alarms = ReplayedAlarms(partition, inputs, points, self.history.prefix)
        source = self._source(partition, outcome.tally)
        pasts = await asyncio.to_thread(_recall, source, alarms, self.results)
        alarms.begin_judging()
        watch = RaiseWatch(
            self.history,
            partition,
            self.encoder,
            chain.from_iterable(inputs.journal.within.values()),
        )
        novelty = await asyncio.to_thread(self._novelty, partition, pasts, outcome.tally)
        rescoring = Rescoring(self.judge, self.context, self.run_id, novelty)
        read, ours = outcome.tally.records.total(), list[AlarmRecord]()
        async with aclosing(rescoring.scores(self._windows(source, pasts))) as scores:
            async for replayed, score in scores:
                self._note(replayed, score, outcome.findings)
                if score is not None:
                    written = alarms.judge(score, replayed.offset)
                    ours += written
                    if len(outcome.sights) < MAX_SIGHTS and watch.is_raise(score, written):
                        outcome.sights.append(await asyncio.to_thread(watch.look, score))
                    outcome.points.update(_process_points(points, score.furnace_id))
                read = self._tell_progress(outcome.tally, read)
        end_ns = max(self.question.span.to_ns, alarms.reached_ns)
        ours += alarms.finish(end_ns)
        self._conclude(outcome, inputs, ours, points, end_ns)

    def _alarm_inputs(self, partition: int) -> AlarmInputs:
        wanted = self._wanted_of(partition)
        return read_alarm_inputs(self.history, self.scope, self.question.span, wanted)

    def _novelty(self, partition: int, pasts: Mapping[str, Past], tally: Tally) -> ReplayedNovelty:
        return ReplayedNovelty(
            read_portraits(self.history, self.scope, self._wanted_of(partition)),
            self.question.portraits,
            pasts,
            self.context.model,
            tally,
        )

    def _wanted_of(self, partition: int) -> Callable[[str], bool]:
        """Return what tells of a furnace whether it is wanted and of a partition."""
        return lambda name: self._wants(name) and self.partition_of(name) == partition

    def _wants(self, furnace_id: str) -> bool:
        return not self.question.furnaces or furnace_id in self.question.furnaces

    def _source(self, partition: int, tally: Tally) -> Source:
        return Source(
            history=self.history,
            scope=self.scope,
            partition=partition,
            span=self.question.span,
            wanted=self._wants,
            encoder=self.encoder,
            sync_offsets_s=self.plant.sync_offsets_s,
            tally=tally,
        )

    def _windows(self, source: Source, pasts: Mapping[str, Past]) -> Iterator[Replayed]:
        if self.question.cuts is Cuts.RECORDED:
            return recorded_windows(source, pasts)
        return event_time_windows(source, frozenset(pasts))

    def _note(self, replayed: Replayed, score: WindowScore | None, findings: Findings) -> None:
        kind = findings.note(score, replayed.live, late=replayed.late, is_beyond=replayed.is_beyond)
        if replayed.live is not None and replayed.is_preceded:
            findings.note_lost(replayed.live)
        self.results.window(score, replayed.live, kind, is_late=replayed.late > 0)

    def _tell_progress(self, tally: Tally, told: int) -> int:
        """Tell how many input records were read since the last time; return how many in all."""
        read = tally.records.total()
        self.on_records(read - told)
        return read

    def _conclude(
        self,
        outcome: ReplayOutcome,
        inputs: AlarmInputs,
        ours: list[AlarmRecord],
        points: TriedAlarmList,
        end_ns: int,
    ) -> None:
        """Compare the journals of one partition's alarms."""
        findings, live = outcome.findings, inputs.journal.until(end_ns)
        compared, found = differences(live, ours)
        findings.note_alarms(
            compared,
            [
                findings.explained(
                    each,
                    is_tried=points.differs(each.alarm_id, each.furnace_id),
                    newest_live_ns=outcome.tally.newest_live_ns,
                )
                for each in found
            ],
        )
        outcome.judged_ones.extend(inputs.journal.judged_ones)
        outcome.alarms.extend(ours)
        outcome.live_alarms.extend(record for records in live.values() for record in records)
        for raw in inputs.journal.before:
            record = read_json(raw, AlarmRecord)
            outcome.states[record.alarm_id] = record.state.value
            outcome.before[record.alarm_id] = record
        outcome.states.update({record.alarm_id: record.state.value for record in ours})


def _recall(source: Source, alarms: ReplayedAlarms, results: Results) -> Mapping[str, Past]:
    """Return what the scores before a span say of furnaces, and let alarms recall them."""
    tail = ScoresTail(source.topics)
    for raw, score in scores_before(source):
        tail.add_score(score)
        alarms.recall(raw)
        results.recalled(score)
    return tail.resumption({}).furnaces


def _process_points(points: TriedAlarmList, furnace_id: str) -> dict[str, AlarmPoint]:
    found = points.of(furnace_id).items()
    return {name: point for name, point in found if point.class_ == PROCESS}
