"""A live system in memory, and what it left behind: to be replayed without servers."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from meltwatch_backtester.domain.outcome import ReplayOutcome
from meltwatch_backtester.domain.question import Cuts, PlantFacts, Question
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.thresholds import Thresholds
from meltwatch_backtester.domain.window_comparison import Kind
from meltwatch_backtester.pipeline.backtest import Backtest, Results
from meltwatch_backtester.pipeline.scope import ScopeOptions, scope_of
from meltwatch_backtester.ports import TopicPart
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.alarms.manager.alarms import AlarmPipeline
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.portraits import KnownPortrait
from meltwatch_core.scoring.judge import Judge, Patience
from meltwatch_core.scoring.ports import Verdict
from meltwatch_core.scoring.scores import ScoreContext
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.portrait import SCHEMA as PORTRAIT_SCHEMA
from meltwatch_schemas.portrait import decode_portrait, portrait_id
from meltwatch_schemas.record import JSON, RawRecord, headers_for, read_score
from meltwatch_schemas.score import ModelIdentity, WindowScore, encode_score
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC

from tests.support.builders import alarm_command
from tests.support.history import HistoryInMemory
from tests.support.input_records import ORIGIN_NS, InputRecord
from tests.unit.core.scoring.fakes import ENCODER, IDENTITY, TOPICS, FakeScorer
from tests.unit.stream_processor.pipeline.fakes import Life, MemoryBroker

SPAN = Span(ORIGIN_NS, ORIGIN_NS + 3600 * NS_PER_S)
PREFIX = TOPICS.prefix


class Swinging(FakeScorer):
    """High for ten windows, low for the next ten: alarms come and go."""

    async def score_window(self, window: AlignedWindow) -> Verdict:
        await super().score_window(window)
        number = window.window_end_ns // PUBLISHED_SPEC.hop_ns
        logit = 5.0 if number // 10 % 2 else -5.0
        return Verdict(logit, (logit - 1, logit + 1), 1.0, np.full((64, 64), 0.5, np.float32))


class Past:
    """Logs of a live system, one partition number; ``change`` them to make history."""

    def __init__(self, logs: dict[Topic, list[RawRecord]]) -> None:
        self.logs = logs

    @classmethod
    async def of(
        cls,
        records: Iterable[InputRecord],
        lives: int = 1,
        *,
        encoder: Encoder = ENCODER,
        portraits: Sequence[bytes] = (),
        portraits_since: int = 0,
    ) -> "Past":
        """Let a system live through records and crash in between; portraits stand since a life."""
        broker, records = MemoryBroker(), list(records)
        share = -(-len(records) // lives)
        for life_number, first in enumerate(range(0, len(records), share)):
            if life_number >= portraits_since:
                broker.portraits = dict(map(_known, portraits))
            # Its clock stands still, so that no modality becomes idle on a busy machine.
            async with Life(broker, Swinging(), speed=0.0, encoder=encoder) as life:
                broker.produce(*records[first : first + share])
                await life.read_all()
                await life.commit()
        topics = (Topic.EMBEDDINGS, Topic.CURRENTS, Topic.SCORES)
        past = cls({topic: list(broker.logs[topic.under(PREFIX)]) for topic in topics})
        past.logs[Topic.PORTRAITS] = [_portrait(*each) for each in enumerate(portraits)]
        past.change(Topic.SCORES, lambda log: [_in_time(raw) for raw in log])
        _judged(past.logs)
        return past

    @property
    def scores(self) -> list[WindowScore]:
        """What live published."""
        return [_read(raw) for raw in self.logs[Topic.SCORES]]

    def change(self, topic: Topic, alter: Callable[[list[RawRecord]], list[RawRecord]]) -> None:
        """Make another past of it."""
        self.logs[topic] = alter(self.logs[topic])

    def history(self) -> HistoryInMemory:
        parts = {TopicPart(topic, 0): log for topic, log in self.logs.items()}
        return HistoryInMemory(parts, prefix=PREFIX, partitions=1)


def _known(value: bytes) -> tuple[str, KnownPortrait]:
    made = decode_portrait(value)
    return made.furnace_id, KnownPortrait.of(made, portrait_id(value))


def _portrait(offset: int, value: bytes) -> RawRecord:
    key = decode_portrait(value).furnace_id.encode()
    headers = tuple(headers_for(PORTRAIT_SCHEMA))
    return RawRecord(Topic.PORTRAITS.under(PREFIX), 0, offset, 0, key, value, headers)


@functools.lru_cache(maxsize=1024)
def _read(raw: RawRecord) -> WindowScore:
    """A score is read once, however many tests look at a past."""
    return read_score(raw)


def _in_time(raw: RawRecord) -> RawRecord:
    """A score as it would have been published while the furnaces ran: 1.5 s after its window."""
    score = read_score(raw)
    published_ns = score.window_end_ns + 1500 * NS_PER_MS
    scored_ns = None if score.times.scored_ns is None else published_ns
    times = replace(
        score.times, joined_ns=published_ns, scored_ns=scored_ns, published_ns=published_ns
    )
    return replace(raw, value=encode_score(replace(score, times=times)))


def _judged(logs: dict[Topic, list[RawRecord]]) -> None:
    """Add the journal of a manager that saw the scores as they were published, and an operator.

    He acknowledges the first alarm 200 ms after it was raised, which is obeyed 100 ms later.
    """
    pipeline, part = AlarmPipeline(MasterAlarmList({}), Metrics(), PREFIX), Place(Topic.SCORES, 0)
    pipeline.begin_reign({part: Commit(0, 0, 0)}, {part: range(0)})
    logs[Topic.ALARMS], logs[Topic.ALARM_COMMANDS] = [], []

    def handle(raw: RawRecord, now_ns: int) -> None:
        for out in pipeline.handle_record(raw, now_ns):
            if out.topic is Topic.ALARMS:
                _append(logs, Topic.ALARMS, now_ns, out.key, out.value)

    for raw in logs[Topic.SCORES]:
        now_ns = _read(raw).times.published_ns + 50 * NS_PER_MS
        handle(raw, now_ns)
        if logs[Topic.ALARMS] and not logs[Topic.ALARM_COMMANDS]:
            raised = AlarmRecord.from_json(logs[Topic.ALARMS][0].value or b"")
            ack = alarm_command("ack", raised.alarm_id, expected_event_id=raised.event_id)
            key, value = ack.alarm_id.encode(), ack.to_json()
            _append(logs, Topic.ALARM_COMMANDS, now_ns + 200 * NS_PER_MS, key, value)
            handle(logs[Topic.ALARM_COMMANDS][0], now_ns + 300 * NS_PER_MS)


def _append(
    logs: dict[Topic, list[RawRecord]], topic: Topic, now_ns: int, key: bytes, value: bytes
) -> None:
    schema = "alarm/1.0" if topic is Topic.ALARMS else "alarm-command/1.0"
    headers, offset = tuple(headers_for(schema, JSON)), len(logs[topic])
    place = (topic.under(PREFIX), 0, offset, now_ns // NS_PER_MS)
    logs[topic].append(RawRecord(*place, key, value, headers))


class Noted:
    """Results in memory."""

    def __init__(self) -> None:
        self.kinds: list[Kind | None] = []
        self.scores: list[WindowScore | None] = []
        self.before: list[WindowScore] = []

    def recalled(self, score: WindowScore) -> None:
        self.before.append(score)

    def window(
        self,
        score: WindowScore | None,
        live: WindowScore | None,
        kind: Kind | None,
        *,
        is_late: bool,
    ) -> None:
        self.kinds.append(kind)
        self.scores.append(score)


async def replay(
    past: Past,
    *,
    span: Span = SPAN,
    cuts: Cuts = Cuts.RECORDED,
    thresholds: Thresholds | None = None,
    furnaces: tuple[str, ...] = (),
    model: ModelIdentity = IDENTITY.model,
    scorer: FakeScorer | None = None,
    results: Results | None = None,
    encoder: Encoder = ENCODER,
    portraits: Mapping[str, bytes] | None = None,
    points: Mapping[str, tuple[AlarmPoint, ...]] | None = None,
) -> tuple[ReplayOutcome, Noted]:
    """Backtest a past."""
    history, noted, clock, metrics = past.history(), Noted(), SystemClock(), Metrics()
    outcome = await Backtest(
        history=history,
        scope=scope_of(history, span, ScopeOptions()),
        question=Question(
            span=span,
            furnaces=furnaces,
            cuts=cuts,
            thresholds=thresholds or Thresholds(),
            portraits=portraits or {},
        ),
        plant=PlantFacts(points=points or {}, sync_offsets_s={}),
        judge=Judge(scorer or Swinging(), Patience(outage_s=0.2), clock, metrics),
        encoder=encoder,
        context=ScoreContext(TOPICS, model, PUBLISHED_SPEC.spec_id, 0.2, frozenset()),
        run_id="run",
        results=results or noted,
        partition_of=lambda _: 0,
        on_records=lambda _: None,
    ).replay_span()
    return outcome, noted
