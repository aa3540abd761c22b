"""Kafka and Triton in memory: logs, offsets and verdicts without servers."""

import asyncio
import functools
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Self

from meltwatch_chassis.dependencies import Dependencies
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.kafka.record import Delivered
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.join.merge import QueueLimits
from meltwatch_core.join.rules import PUBLISHED_RULES
from meltwatch_core.portraits import KnownPortrait
from meltwatch_core.scoring.judge import Judge, Patience
from meltwatch_core.scoring.scores import ScoreContext
from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.novelty import novelty_message
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.score import WindowScore, decode_score
from meltwatch_schemas.window import NS_PER_MS
from meltwatch_stream_processor.adapters.faust.arrivals import FaustArrivals
from meltwatch_stream_processor.pipeline.counts import Counts
from meltwatch_stream_processor.pipeline.delivery import Delivery
from meltwatch_stream_processor.pipeline.engine import Engine
from meltwatch_stream_processor.pipeline.gate import FurnaceGate
from meltwatch_stream_processor.pipeline.input_topics import InputTopics
from meltwatch_stream_processor.pipeline.progress import ReaderClock
from meltwatch_stream_processor.pipeline.publication import InFlightWindows
from meltwatch_stream_processor.pipeline.retry import Retry
from meltwatch_stream_processor.pipeline.shared import SharedParts
from meltwatch_stream_processor.ports import Census, Committed, TopicFacts, TopicPartition

from tests.support.input_records import InputRecord
from tests.support.leaping_loop import LoopClock
from tests.unit.core.scoring.fakes import ENCODER, IDENTITY, TOPICS, FakeScorer, until

IMPATIENT = Patience(outage_s=0.3, probe_interval_s=0.05)


class FastClock(LoopClock):
    """The loop's clock, the monotonic one so many times as fast.

    Parameters
    ----------
    speed
        How many times.

    Attributes
    ----------
    leap_ns
        By how much a test has set the monotonic one forward.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self.leap_ns = 0

    def monotonic_ns(self) -> int:
        return int(super().monotonic_ns() * self._speed) + self.leap_ns


async def turns(count: int) -> None:
    """Let the others go on so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


class MemoryBroker:
    """One partition number of every topic; answers as inputs, range, history and publisher."""

    def __init__(self) -> None:
        self.logs: dict[str, list[RawRecord]] = defaultdict(list)
        self.offsets: dict[TopicPartition, int] = {}
        self.oldest: dict[str, int] = defaultdict(int)
        self.paused: set[TopicPartition] = set()
        self.pauses = 0
        # How many records the consumer of a life passes over at its beginning.
        self.passed_over: dict[str, int] = defaultdict(int)
        # After how many turns of the loop the consumer of a life begins, and the broker answers.
        self.begins_after: dict[str, int] = defaultdict(int)
        self.answers_after = 0
        self.end_calls = 0
        self.is_away = False
        self.facts = {
            topic: TopicFacts("one", 1) for topic in (*TOPICS.inputs.values(), TOPICS.scores)
        }
        self.owned: frozenset[TopicPartition] | None = frozenset(
            TopicPartition(topic, 0) for topic in TOPICS.inputs.values()
        )
        self.topic_ids: dict[TopicPartition, str | None] = {}
        self.moved: set[TopicPartition] = set()
        self.rejoins = 0
        self.portraits: dict[str, KnownPortrait] = {}
        self.refuse: Callable[[OutgoingRecord], bool] = lambda _: False

    def produce(self, *records: InputRecord) -> None:
        """Append records of producers."""
        for record in records:
            log = self.logs[record.topic.under(TOPICS.prefix)]
            log.append(record.at(len(log)))

    def arrivals(self) -> FaustArrivals:
        return FaustArrivals()

    def pause(self, partition: TopicPartition) -> None:
        self.pauses += 1
        self.paused.add(partition)

    def resume(self, partition: TopicPartition) -> None:
        self.paused.discard(partition)

    def rejoin(self) -> None:
        self.rejoins += 1

    async def committed(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, Committed]:
        return {
            part: Committed(self.offsets[part], part not in self.moved, self.topic_ids.get(part))
            for part in partitions
            if part in self.offsets
        }

    async def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        self.offsets |= {part: commit.offset for part, commit in offsets.items()}
        self.topic_ids |= {part: commit.topic_id for part, commit in offsets.items()}
        self.moved -= offsets.keys()

    def move(self, topic: str, offset: int) -> None:
        """Move the group's offset, as people do with Kafka's tools."""
        part = TopicPartition(topic, 0)
        self.offsets[part] = offset
        self.topic_ids.pop(part, None)
        self.moved.add(part)

    def remake(self, topic: str) -> None:
        """Delete a topic and make it again; the group's offsets go with it."""
        self.facts[topic] = TopicFacts(f"{self.facts[topic].id}-again", 1)
        self.logs[topic] = []
        self.offsets.pop(TopicPartition(topic, 0), None)

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        return {part: self.oldest[part.topic] for part in partitions}

    async def end_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        self.end_calls += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise TransientError("no broker")
        return {part: len(self.logs[part.topic]) for part in partitions}

    async def census(self) -> Census:
        return Census(dict(self.facts), self.owned)

    async def records(self, partition: TopicPartition, offsets: range) -> list[RawRecord]:
        await turns(self.answers_after)
        return [raw for raw in self.logs[partition.topic] if raw.offset in offsets]

    async def since(self, partition: int, time_ns: int) -> AsyncIterator[WindowScore]:
        del partition
        for score in self.scores():
            if score.window_end_ns // NS_PER_MS * NS_PER_MS >= time_ns:
                yield score

    async def newest(self, partition: int) -> AsyncIterator[WindowScore]:
        del partition
        for score in self.scores():
            yield score

    def of(self, furnace_id: str) -> KnownPortrait | None:
        return self.portraits.get(furnace_id)

    async def settle(self) -> None:
        """Every portrait is there."""

    async def follow(self) -> None:
        """No other one will come."""

    async def publish(self, record: OutgoingRecord) -> Delivered:
        await asyncio.sleep(0)
        if self.refuse(record):
            raise TransientError("no broker")
        log = self.logs[record.topic]
        raw = RawRecord(
            record.topic, 0, len(log), record.timestamp_ms or 0, record.key, record.value,
            record.headers,
        )  # fmt: skip
        log.append(raw)
        return Delivered(0, raw.offset, raw.timestamp_ms)

    async def flush(self) -> None:
        """Nothing is ever on its way."""

    def scores(self) -> list[WindowScore]:
        """What was published, in order."""
        return [_decoded(raw.value or b"") for raw in self.logs[TOPICS.scores]]

    def has_scores(self, count: int) -> bool:
        """Whether so many were published."""
        return len(self.logs[TOPICS.scores]) >= count

    def letters(self) -> list[RawRecord]:
        """The dead letters, in order."""
        return self.logs[TOPICS.dead_letters]


@functools.lru_cache(maxsize=1024)
def _decoded(value: bytes) -> WindowScore:
    """A score is decoded once, however often a test or a life looks at all of them."""
    return decode_score(value)


def contents(scores: list[WindowScore]) -> dict[str, tuple[object, ...]]:
    """What of each window must not depend on when it was published."""
    return {
        score.window_id: (
            score.status,
            score.logit,
            score.video_coverage,
            score.current_coverage,
            score.features,
            score.sources,
            score.reasons,
            score.novelty and novelty_message(score.novelty),
            score.inputs,
        )
        for score in scores
    }


def shared(
    broker: MemoryBroker,
    scorer: FakeScorer,
    *,
    patience: Patience = IMPATIENT,
    inflight: int = 16,
    limits: QueueLimits | None = None,
    speed: float = 1.0,
    max_held_bytes: int = 256 * 1024 * 1024,
    max_furnaces: int = 2_000,
    refuses_unregistered: bool = False,
    encoder: Encoder = ENCODER,
) -> SharedParts:
    """What an engine needs, on fakes."""
    metrics, clock = Metrics(), FastClock(speed)
    dependencies = Dependencies(metrics, clock)
    retry = Retry(dependencies)
    return SharedParts(
        inputs=broker,
        input_range=broker,
        history=broker,
        portraits=broker,
        input_topics=InputTopics(TOPICS, broker, retry),
        delivery=Delivery(broker, TOPICS, metrics, retry),
        judge=Judge(scorer, patience, clock, metrics),
        in_flight=InFlightWindows(inflight, 64 * 1024 * 1024, metrics.inflight_windows.set),
        rules=PUBLISHED_RULES,
        encoder=encoder,
        limits=limits or QueueLimits(512, 4 * 1024 * 1024),
        max_held_bytes=max_held_bytes,
        context=ScoreContext(
            topics=TOPICS,
            model=IDENTITY.model,
            spec_id=PUBLISHED_RULES.spec.spec_id,
            map_from=0.2,
            registered={"known/furnace"},
        ),
        clock=clock,
        reader_clock=ReaderClock(clock),
        counts=Counts(metrics),
        metrics=metrics,
        dependencies=dependencies,
        retry=retry,
        gate=FurnaceGate({"known/furnace"}, max_furnaces, refuses_unregistered, metrics),
    )


class Life:
    """One process: reads the broker's logs from the committed offsets until it is killed."""

    def __init__(self, broker: MemoryBroker, scorer: FakeScorer, **options: object) -> None:
        self.broker = broker
        self.shared = shared(broker, scorer, **options)  # type: ignore[arg-type]  # keyword options of a test
        self.engine = Engine(self.shared)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        parts = [TopicPartition(topic, 0) for topic in TOPICS.inputs.values()]
        self._tasks = [asyncio.create_task(self.engine.run_partitions())]
        await asyncio.sleep(0)
        await self.engine.assigned(parts)
        self._tasks += [asyncio.create_task(self._read(part)) for part in parts]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def kill(self) -> None:
        """End at once, as ``kill -9`` would: nothing is committed or finished."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def read_all(self) -> None:
        """Wait until nothing is left to be read or published."""
        await until(lambda: self._has_read_all() and self.shared.in_flight.count == 0)

    async def commit(self) -> None:
        """Commit now what is committed every second."""
        await self.engine._commit(self.engine._pipelines)

    def _has_read_all(self) -> bool:
        handed_on: dict[TopicPartition, int] = {}
        for pipeline in self.engine._pipelines.values():
            handed_on |= pipeline.handed_on()
        ends = [len(self.broker.logs[topic]) for topic in TOPICS.inputs.values()]
        return sorted(handed_on.values()) == sorted(end for end in ends if end)

    async def _read(self, part: TopicPartition) -> None:
        position = max(self.broker.offsets.get(part, 0), self.broker.oldest[part.topic])
        position += self.broker.passed_over[part.topic]
        await turns(self.broker.begins_after[part.topic])
        while True:
            log = self.broker.logs[part.topic]
            if part not in self.broker.paused and position < len(log):
                self.engine.receive(log[position])
                position += 1
            await asyncio.sleep(0 if position < len(log) else 0.001)
