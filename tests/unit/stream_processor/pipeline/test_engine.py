"""The engine on a broker and a scorer in memory: order, backpressure, restarts."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from itertools import pairwise

import pytest
from meltwatch_chassis import tasks
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.kafka.record import Delivered
from meltwatch_core.join.merge import QueueLimits
from meltwatch_core.join.window import AlignedWindow
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.score import Modality, ScoreStatus, WindowScore
from meltwatch_schemas.window import NS_PER_S
from meltwatch_stream_processor.ports import TopicPartition
from structlog.testing import capture_logs

from tests.support.input_records import ORIGIN_NS, InputRecord, live, sample_record
from tests.unit.core.scoring.fakes import ENCODER, TOPICS, FakeScorer, until
from tests.unit.stream_processor.pipeline.fakes import Life, MemoryBroker, contents

FURNACES = ("melt/a", "melt/b", "known/furnace")
SECONDS = 30.0
PARTS = [TopicPartition(topic, 0) for topic in TOPICS.inputs.values()]


@pytest.fixture(scope="module")
def records() -> list[InputRecord]:
    return live(FURNACES, SECONDS, encoder=ENCODER)


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def scorer() -> FakeScorer:
    return FakeScorer()


def by_furnace(scores: list[WindowScore]) -> dict[str, list[int]]:
    ends: dict[str, list[int]] = {}
    for score in scores:
        ends.setdefault(score.furnace_id, []).append(score.window_end_ns)
    return ends


async def run_through(broker: MemoryBroker, records: list[InputRecord]) -> list[WindowScore]:
    """The scores of one undisturbed life."""
    broker.produce(*records)
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
    return broker.scores()


async def test_each_window_of_each_furnace_is_published_once_and_in_order(
    broker: MemoryBroker, records: list[InputRecord]
) -> None:
    ends = by_furnace(await run_through(broker, records))
    assert set(ends) == set(FURNACES)
    for windows in ends.values():
        steps = {later - earlier for earlier, later in pairwise(windows)}
        assert steps == {1_440_000_000}
        assert len(windows) >= 18


async def test_the_order_in_which_topics_arrive_changes_nothing(
    records: list[InputRecord],
) -> None:
    in_order = await run_through(MemoryBroker(), records)
    by_topic = sorted(records, key=lambda record: record.topic.value)
    assert contents(await run_through(MemoryBroker(), by_topic)) == contents(in_order)


async def test_a_slow_call_holds_back_its_own_furnace_alone(
    broker: MemoryBroker, scorer: FakeScorer, records: list[InputRecord]
) -> None:
    gate = asyncio.Event()

    def hold_first_of_a(window: AlignedWindow) -> object:
        held = window.furnace_id == "melt/a" and len(scorer_calls("melt/a")) == 1
        return gate.wait() if held else None

    def scorer_calls(furnace_id: str) -> list[AlignedWindow]:
        return [window for window in scorer.calls if window.furnace_id == furnace_id]

    scorer.attempt = hold_first_of_a
    broker.produce(*records)
    async with Life(broker, scorer, inflight=200) as life:
        await until(lambda: len(by_furnace(broker.scores()).get("melt/b", ())) > 10)
        scored = [s for s in broker.scores() if s.furnace_id == "melt/a" and s.logit is not None]
        assert scored == []
        gate.set()
        await life.read_all()
    for windows in by_furnace(broker.scores()).values():
        assert windows == sorted(set(windows))


async def test_too_many_windows_in_flight_stop_reading(
    broker: MemoryBroker, scorer: FakeScorer, records: list[InputRecord]
) -> None:
    gate = asyncio.Event()
    scorer.attempt = lambda _: gate.wait()
    broker.produce(*records)
    async with Life(broker, scorer, inflight=4, limits=QueueLimits(8, 1024 * 1024)) as life:
        await until(lambda: len(broker.paused) == 2)
        await asyncio.sleep(0.05)
        assert life.shared.in_flight.count == 4
        gate.set()
        await life.read_all()
        assert broker.paused == set()


@pytest.mark.parametrize("stops", [(5,), (20, 30), (1, 2, 3, 40), (50,)])
async def test_killed_and_started_again_it_publishes_what_it_would_have(
    records: list[InputRecord], stops: tuple[int, ...]
) -> None:
    undisturbed = await run_through(MemoryBroker(), records)
    broker = MemoryBroker()
    broker.produce(*records)
    for stop in stops:
        async with Life(broker, FakeScorer()) as life:
            await until(partial(broker.has_scores, stop))
            await life.commit()
            await life.kill()
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
    scores = broker.scores()
    assert len(scores) == len(undisturbed)
    assert contents(scores) == contents(undisturbed)


async def test_a_rebalance_drops_all_state_and_reads_again(
    broker: MemoryBroker, records: list[InputRecord]
) -> None:
    undisturbed = await run_through(MemoryBroker(), records)
    broker.produce(*records)
    async with Life(broker, FakeScorer()) as life:
        await until(lambda: len(broker.scores()) >= 20)
        await life.engine.revoked()
        assert life.engine.readiness() is not None
        assert life.shared.in_flight.count == 0
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
    assert contents(broker.scores()) == contents(undisturbed)


async def test_a_cancellation_that_gets_lost_is_not_waited_for(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As aiokafka's consumer loses it while it stops, which once hung a rebalance for good."""
    asked = asyncio.Event()

    async def deaf(parts: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        asked.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return dict.fromkeys(parts, 0)

    monkeypatch.setattr(broker, "beginning_offsets", deaf)
    monkeypatch.setattr(tasks, "_CANCEL_AGAIN_S", 0.01)
    async with Life(broker, FakeScorer()) as life:
        await asked.wait()
        async with asyncio.timeout(5.0):
            await life.engine.revoked()
        assert life.engine.readiness() is not None


async def test_offsets_wait_for_the_windows_that_need_them(
    broker: MemoryBroker, scorer: FakeScorer, records: list[InputRecord]
) -> None:
    gate = asyncio.Event()
    scorer.attempt = lambda _: gate.wait()
    broker.produce(*records)
    async with Life(broker, scorer, inflight=6) as life:
        await until(lambda: life.shared.in_flight.count == 6)
        await life.commit()
        assert set(broker.offsets.values()) <= {0}
        gate.set()
        await life.read_all()
        await life.commit()
        frames = TopicPartition(TOPICS.inputs[Modality.VIDEO], 0)
        assert 0 < broker.offsets[frames] < len(broker.logs[frames.topic])


async def test_draining_publishes_what_is_in_flight_and_reads_no_more(
    broker: MemoryBroker, scorer: FakeScorer, records: list[InputRecord]
) -> None:
    scorer.attempt = lambda _: asyncio.sleep(0.01)
    broker.produce(*records)
    async with Life(broker, scorer) as life:
        await until(lambda: len(broker.scores()) >= 10)
        await life.engine.drain(5.0)
        assert life.shared.in_flight.count == 0
        published = len(broker.scores())
        life.engine.receive(records[0].at(0, partition=5))
        await asyncio.sleep(0.05)
        assert len(broker.scores()) == published < 55
        assert set(life.engine._pipelines) == {0}


async def test_a_broker_that_refuses_for_a_while_loses_nothing(
    broker: MemoryBroker, records: list[InputRecord]
) -> None:
    refusals = iter([True] * 3)
    broker.refuse = lambda _: next(refusals, False)
    assert len(by_furnace(await run_through(broker, records))) == len(FURNACES)
    assert next(refusals, None) is None


async def test_unregistered_furnaces_are_marked(
    broker: MemoryBroker, records: list[InputRecord]
) -> None:
    scores = await run_through(broker, records)
    assert {s.furnace_id for s in scores if not s.unregistered} == {"known/furnace"}


async def test_one_call_answers_the_ends_that_are_asked_for_meanwhile(
    broker: MemoryBroker, records: list[InputRecord]
) -> None:
    await run_through(broker, records)
    assert broker.end_calls < len(records) / 4


async def test_a_furnace_without_any_modality_needs_no_scorer(
    broker: MemoryBroker, scorer: FakeScorer, records: list[InputRecord]
) -> None:
    broker.produce(*records[:20])
    async with Life(broker, scorer) as life:
        await life.read_all()
    assert scorer.calls == []
    assert {score.status for score in broker.scores()} == {ScoreStatus.UNSCORED}


async def test_an_offset_that_goes_back_ends_the_process(
    broker: MemoryBroker, records: list[InputRecord]
) -> None:
    life = Life(broker, FakeScorer())
    running = asyncio.create_task(life.engine.run_partitions())
    await asyncio.sleep(0)
    await life.engine.assigned([TopicPartition(topic, 0) for topic in TOPICS.inputs.values()])
    for offset in (7, 3):
        life.engine.receive(records[0].at(offset))
    with pytest.raises(ExceptionGroup) as caught:
        await running
    assert caught.group_contains(FatalError, match="expected an offset of at least 8, got 3")


async def test_history_that_retention_took_is_said(
    broker: MemoryBroker, records: list[InputRecord]
) -> None:
    broker.produce(*records)
    topic = records[0].topic.under(TOPICS.prefix)
    broker.offsets[TopicPartition(topic, 0)] = 3
    broker.oldest[topic] = 5
    with capture_logs() as logs:
        async with Life(broker, FakeScorer()) as life:
            await until(partial(broker.has_scores, 5))
            assert life.engine.readiness() is None
    (gap,) = [line for line in logs if line["event"] == "history_gap_found"]
    assert (gap["topic"], gap["lost"]) == (topic, 2)


async def test_lag_is_what_kafka_has_and_nobody_handed_on(
    broker: MemoryBroker, scorer: FakeScorer, records: list[InputRecord]
) -> None:
    scorer.attempt = lambda _: asyncio.Event().wait()
    broker.produce(*records)
    async with Life(broker, scorer, inflight=2) as life:
        await until(lambda: life.shared.in_flight.count == 2)
        ends = await broker.end_offsets([TopicPartition(t, 0) for t in TOPICS.inputs.values()])
        assert 0 < life.engine._unread(ends)[0] < len(records)
        assert life.engine.progress.problem() is None


async def test_metrics_tell_what_was_done(broker: MemoryBroker, records: list[InputRecord]) -> None:
    broker.produce(*records)
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
        life.engine._observe(life.engine._watermarks())
        value = life.shared.metrics.registry.get_sample_value
        topic = TOPICS.inputs[Modality.CURRENT]
        labels = {"service": "stream_processor", "topic": topic, "outcome": "joined"}
        assert value("meltwatch_records_total", labels) == len(broker.logs[topic])
        statuses = [value("meltwatch_windows_total", {"status": s}) or 0 for s in ScoreStatus]
        assert sum(statuses) == len(broker.scores())
        assert value("meltwatch_watermark_lag_seconds", {"furnace": "melt/a"}) is not None
        assert (value("meltwatch_buffer_bytes", {"service": "stream_processor"}) or 0) > 0
        assert value("meltwatch_inflight_windows") == 0


async def test_a_gateway_that_delivers_late_makes_no_window_twice_after_a_restart(
    broker: MemoryBroker,
) -> None:
    """The furnace's windows stand far behind those from which a restart reads the scores."""
    broker.produce(*live(("melt/a",), SECONDS, encoder=ENCODER))
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
    before = by_furnace(broker.scores())["melt/a"]
    hour_later = ORIGIN_NS + 3600 * NS_PER_S
    broker.offsets = {part: len(broker.logs[part.topic]) for part in PARTS}
    broker.produce(*live(("melt/b",), SECONDS, start_ns=hour_later, encoder=ENCODER))
    late = live(("melt/a",), SECONDS, start_ns=ORIGIN_NS + 20 * NS_PER_S, encoder=ENCODER)
    broker.produce(*late)
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()

    ends = by_furnace(broker.scores())["melt/a"]
    assert ends == sorted(set(ends))
    assert len(ends) > len(before) + 10


async def test_a_late_copy_follows_the_window_that_makes_its_record_late(
    broker: MemoryBroker, scorer: FakeScorer
) -> None:
    """Before that window is published a crash may have it closed anew, behind the record."""
    gate = asyncio.Event()
    scorer.attempt = lambda _: gate.wait()
    broker.produce(*live(("melt/a",), 20.0, encoder=ENCODER))
    broker.produce(sample_record("melt/a", ORIGIN_NS + 3 * NS_PER_S + 7))
    broker.produce(*live(("melt/a",), 5.0, start_ns=ORIGIN_NS + 20 * NS_PER_S, encoder=ENCODER))
    late_offset = 20  # a sample record a second, then this one
    async with Life(broker, scorer, inflight=100) as life:
        await until(life._has_read_all)
        await life.commit()
        assert broker.logs[TOPICS.late] == []
        assert max(broker.offsets.values(), default=0) <= late_offset
        await life.kill()
    assert broker.logs[TOPICS.late] == []

    gate.set()
    done: list[str] = []
    publish = broker.publish

    async def noted(record: OutgoingRecord) -> Delivered:
        done.append(record.topic)
        return await publish(record)

    broker.publish = noted  # type: ignore[method-assign]  # to see the order between topics
    async with Life(broker, scorer) as life:
        await life.read_all()
    (copy,) = broker.logs[TOPICS.late]
    assert copy.value == broker.logs[TOPICS.inputs[Modality.CURRENT]][late_offset].value
    before = done[: done.index(TOPICS.late)].count(TOPICS.scores)
    ends = by_furnace(broker.scores())["melt/a"]
    assert ends[before - 1] > ORIGIN_NS + 3 * NS_PER_S
    assert before < len(ends)
