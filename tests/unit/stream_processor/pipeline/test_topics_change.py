"""Topics that go, come back, grow, or are read by nobody; offsets that somebody moves."""

import asyncio

import pytest
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_schemas.score_topics import GapCause, HistoryGap
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from meltwatch_stream_processor.pipeline import engine
from meltwatch_stream_processor.ports import TopicFacts, TopicPartition
from structlog.testing import capture_logs

from tests.support.input_records import ORIGIN_NS, live
from tests.support.leaping_loop import leaping
from tests.unit.core.scoring.fakes import ENCODER, TOPICS, FakeScorer, until
from tests.unit.stream_processor.pipeline.fakes import Life, MemoryBroker

FRAMES, SAMPLES = (TOPICS.inputs[modality] for modality in Modality)
FURNACE = "melt/a"
PARTS = [TopicPartition(topic, 0) for topic in (FRAMES, SAMPLES)]


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


async def look(life: Life) -> str | None:
    """Have the engine look at the topics now; return why it is not ready."""
    await life.shared.input_topics.look()
    await life.engine._heed_topics()
    return life.engine.readiness()


async def rejoin(life: Life) -> None:
    """What Faust does when the group shares out the partitions anew."""
    await life.engine.revoked()
    await life.engine.assigned(PARTS)


async def run(broker: MemoryBroker, start_s: float, seconds: float) -> list[WindowScore]:
    """Send some seconds of a furnace and have one life judge them."""
    start_ns = ORIGIN_NS + round(start_s * NS_PER_S)
    broker.produce(*live([FURNACE], seconds, start_ns=start_ns, encoder=ENCODER))
    before = len(broker.scores())
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
        await life.commit()
    return broker.scores()[before:]


def numbers(scores: list[WindowScore]) -> list[int]:
    first = PUBLISHED_SPEC.first_end_after(FURNACE, ORIGIN_NS)
    return [(score.window_end_ns - first) // PUBLISHED_SPEC.hop_ns for score in scores]


@pytest.mark.parametrize("missing", [(FRAMES, SAMPLES), (FRAMES,), (TOPICS.scores,)])
async def test_without_its_topics_it_reads_nothing_and_says_which(
    broker: MemoryBroker, missing: tuple[str, ...]
) -> None:
    facts = dict(broker.facts)
    async with Life(broker, FakeScorer()) as life:
        assert await look(life) is None
        for topic in missing:
            del broker.facts[topic]
        with capture_logs() as logs:
            line = await look(life)
            assert await look(life) == line
        assert line is not None
        assert line.startswith(f"expected the topics {', '.join(missing)}, they are missing")
        assert [log["event"] for log in logs] == ["topics_unfit"]
        assert not life.engine._pipelines
        assert broker.rejoins == 0
        broker.facts |= facts
        assert await look(life) == "expected partitions from Kafka, none are assigned yet"
        assert broker.rejoins == 1
        await rejoin(life)
        assert await look(life) is None
        assert set(life.engine._pipelines) == {0}


async def test_partitions_that_were_added_are_joined_once_all_topics_have_them(
    broker: MemoryBroker,
) -> None:
    async with Life(broker, FakeScorer()) as life:
        assert await look(life) is None
        for topic in (FRAMES, SAMPLES):
            broker.facts[topic] = TopicFacts("one", 2)
            line = await look(life)
            assert line is not None
            assert f"2 of {FRAMES}" in line
            assert f"1 of {TOPICS.scores}" in line
            assert not life.engine._pipelines
        broker.facts[TOPICS.scores] = TopicFacts("one", 2)
        line = await look(life)
        assert broker.rejoins == 1
        await rejoin(life)
        line = await look(life)
        assert line is not None
        assert f"nobody has {SAMPLES}/1, {FRAMES}/1" in line
        broker.owned = frozenset(
            TopicPartition(t, n) for t in TOPICS.inputs.values() for n in (0, 1)
        )
        assert await look(life) is None


async def test_a_partition_that_nobody_reads_is_shared_out_but_not_for_ever(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member that has nothing is no spare then, and one that has its part is not ready."""
    broker.owned = frozenset(PARTS[:1])
    async with Life(broker, FakeScorer()) as life:
        line = await look(life)
        assert line is not None
        assert f"nobody has {SAMPLES}/0" in line
        assert broker.rejoins == 1
        now_ns = life.shared.clock.monotonic_ns()
        for second in range(100):
            monkeypatch.setattr(
                life.shared.clock, "monotonic_ns", lambda at=second: now_ns + at * NS_PER_S
            )
            await look(life)
        assert broker.rejoins == 4  # at 0, 10, 30, 70 s


async def test_who_has_nothing_while_others_have_all_is_a_spare(broker: MemoryBroker) -> None:
    async with Life(broker, FakeScorer()) as life:
        await life.engine.revoked()
        await life.engine.assigned([])
        broker.owned = None
        assert "not known yet who has them" in str(await look(life))
        broker.owned = frozenset(PARTS)
        assert await look(life) is None
        assert broker.rejoins == 0


async def test_half_a_pair_of_partitions_is_not_read(broker: MemoryBroker) -> None:
    async with Life(broker, FakeScorer()) as life:
        await life.engine.revoked()
        await life.engine.assigned([*PARTS, TopicPartition(FRAMES, 1)])
        assert set(life.engine._pipelines) == {0}


@pytest.mark.parametrize("remade", [(FRAMES, SAMPLES), (FRAMES,), (SAMPLES,)])
async def test_topics_made_again_under_a_running_worker_are_joined_again(
    broker: MemoryBroker, remade: tuple[str, ...]
) -> None:
    broker.produce(*live([FURNACE], 20.0, encoder=ENCODER))
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
        await life.commit()
        assert await look(life) is None
        for topic in remade:
            broker.remake(topic)
        line = await look(life)
        assert line is not None
        assert "was made again" in line
        assert broker.rejoins == 1


@pytest.mark.parametrize("remade", [(FRAMES, SAMPLES), (FRAMES,), (SAMPLES,)])
async def test_the_cuts_of_a_topic_that_was_made_again_are_void(
    broker: MemoryBroker, remade: tuple[str, ...]
) -> None:
    first = await run(broker, 0.0, 40.0)
    for topic in remade:
        broker.remake(topic)
    with capture_logs() as logs:
        second = await run(broker, 40.0, 10.0)
    assert [line["topic"] for line in logs if line["event"] == "topic_replaced"] == list(remade)
    assert numbers(first + second) == list(range(len(first) + len(second)))
    assert len(second) >= 6
    told = second[0].gaps
    assert told == dict.fromkeys(remade, HistoryGap(GapCause.REPLACED, None))
    assert not any(score.gaps for score in second[1:])
    assert {score.topic_ids[FRAMES] for score in second} == {broker.facts[FRAMES].id}
    third = await run(broker, 50.0, 10.0)
    assert numbers(second + third) == list(range(len(first), len(first + second + third)))
    assert not any(score.gaps for score in third)


async def test_a_topic_that_was_made_again_and_grew_past_the_cut_is_read_whole(
    broker: MemoryBroker,
) -> None:
    """Its end says nothing then: only its id does."""
    first = await run(broker, 0.0, 20.0)
    for topic in (FRAMES, SAMPLES):
        broker.remake(topic)
    second = await run(broker, 20.0, 60.0)
    assert numbers(first + second) == list(range(len(first) + len(second)))
    assert len(second) >= 40
    assert second[-1].current_coverage < 0.7
    assert second[5].video_coverage == 1.0


@pytest.mark.parametrize("later_s", [40, 100, 600])
async def test_offsets_moved_past_unread_records_are_told_with_how_many(
    broker: MemoryBroker, later_s: int
) -> None:
    first = await run(broker, 0.0, 20.0)
    last = {topic: first[-1].inputs[topic].last_handed_on or 0 for topic in (FRAMES, SAMPLES)}
    broker.produce(*live([FURNACE], 40.0, start_ns=ORIGIN_NS + 20 * NS_PER_S, encoder=ENCODER))
    ends = {topic: len(broker.logs[topic]) for topic in (FRAMES, SAMPLES)}
    for topic, end in ends.items():
        broker.move(topic, end)
    start_ns = ORIGIN_NS + (20 + later_s) * NS_PER_S
    broker.produce(*live([FURNACE], 20.0, start_ns=start_ns, encoder=ENCODER))
    with capture_logs() as logs:
        async with Life(broker, FakeScorer()) as life:
            await life.read_all()
            value = life.shared.metrics.registry.get_sample_value
            skipped = value("meltwatch_windows_total", {"status": "skipped"}) or 0
    lost = {topic: end - last[topic] - 1 for topic, end in ends.items()}
    found = {line["topic"]: line for line in logs if line["event"] == "history_gap_found"}
    assert {topic: line["lost"] for topic, line in found.items()} == lost
    assert {line["cause"] for line in found.values()} == {"moved"}
    told = dict(zip(numbers(broker.scores()), broker.scores(), strict=True))
    assert told[len(first)].gaps == {t: HistoryGap(GapCause.MOVED, n) for t, n in lost.items()}
    assert sum(bool(score.gaps) for score in broker.scores()) == 1
    # No window number is unaccounted for.
    assert sorted(told) == numbers(broker.scores())
    assert len(told) + skipped == max(told) + 1
    assert (skipped > 0) == (later_s == 600)


async def test_what_was_passed_over_is_told_again_until_a_score_has_told_it(
    broker: MemoryBroker,
) -> None:
    await run(broker, 0.0, 20.0)
    broker.produce(*live([FURNACE], 10.0, start_ns=ORIGIN_NS + 20 * NS_PER_S, encoder=ENCODER))
    for topic in (FRAMES, SAMPLES):
        broker.move(topic, len(broker.logs[topic]))
    stranger = live(["bad name"], 3.0, start_ns=ORIGIN_NS + 30 * NS_PER_S, encoder=ENCODER)
    broker.produce(*stranger)
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
        await life.commit()
    second = await run(broker, 30.0, 10.0)
    assert set(second[0].gaps) == {FRAMES, SAMPLES}


@pytest.mark.parametrize("offset", [0, 5, 10_000])
@leaping
async def test_offsets_moved_back_or_past_the_end_change_nothing(
    broker: MemoryBroker, offset: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_ENDS_INTERVAL_S", 0.1)
    first = await run(broker, 0.0, 20.0)
    for topic in (FRAMES, SAMPLES):
        broker.move(topic, offset)
    second = await run(broker, 20.0, 20.0)  # past the end, nothing comes for five seconds
    assert numbers(first + second) == list(range(len(first) + len(second)))
    assert not any(score.gaps for score in second)
    assert {score.video_coverage for score in second} == {1.0}


async def test_a_commit_for_a_topic_that_is_gone_holds_up_nobody(broker: MemoryBroker) -> None:
    broker.produce(*live([FURNACE], 10.0, encoder=ENCODER))
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
        del broker.facts[FRAMES]
        async with asyncio.timeout(5.0):
            await look(life)
        await until(lambda: life.shared.in_flight.count == 0)


async def test_what_retention_takes_from_a_running_worker_is_told(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer goes on behind it without a word."""
    whole = broker.records

    async def records(part: TopicPartition, offsets: range) -> list[RawRecord]:
        broker.oldest[SAMPLES] = 3
        return [raw for raw in await whole(part, offsets) if raw.offset >= 3]

    monkeypatch.setattr(broker, "records", records)
    broker.passed_over[SAMPLES] = 5
    with capture_logs() as logs:
        scores = await run(broker, 0.0, 20.0)
    (found,) = [line for line in logs if line["event"] == "history_gap_found"]
    assert (found["topic"], found["cause"], found["lost"]) == (SAMPLES, "retention", 3)
    assert scores[0].gaps == {SAMPLES: HistoryGap(GapCause.RETENTION, 3)}
