"""Patience with a scorer that is away, slow, wrong or another one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.join.entry import read
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import Reading
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.judge import Judge, Judgement, Patience
from meltwatch_schemas.errors import ContractViolation, Refusal
from structlog.testing import capture_logs

from tests.support.input_records import live
from tests.support.leaping_loop import LoopClock, leaping
from tests.unit.core.scoring.fakes import ENCODER, TOPICS, FakeScorer, until

PATIENCE = Patience(outage_s=0.4, probe_interval_s=0.05, concurrency=2)


@pytest.fixture(scope="module")
def windows() -> list[AlignedWindow]:
    joiner = PartitionJoiner(0, ENCODER)
    made: list[AlignedWindow] = []
    for offset, record in enumerate(live(["melt/a"], 20.0, encoder=ENCODER)):
        raw = record.at(offset)
        entry = read(raw, TOPICS.modalities[raw.topic])
        made += joiner.advance(entry, Reading(0)).windows
    return made


@pytest.fixture
def scored(windows: list[AlignedWindow]) -> AlignedWindow:
    return windows[-1]


def away(_: AlignedWindow) -> None:
    raise TransientError("nobody there")


@asynccontextmanager
async def judging(scorer: FakeScorer, patience: Patience = PATIENCE) -> AsyncIterator[Judge]:
    judge = Judge(scorer, patience, LoopClock(), Metrics())
    watching = asyncio.create_task(judge.watch())
    yield judge
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def timed(judge: Judge, window: AlignedWindow) -> tuple[Judgement, float]:
    loop = asyncio.get_running_loop()
    start = loop.time()
    return await judge.judge(window), loop.time() - start


async def test_an_answer_becomes_a_verdict(scored: AlignedWindow) -> None:
    async with judging(FakeScorer()) as judge:
        judgement = await judge.judge(scored)
        assert judgement.verdict is not None
        assert judgement.scored_ns is not None
        assert judge.outage is None


async def test_a_window_without_a_modality_is_never_sent(windows: list[AlignedWindow]) -> None:
    scorer = FakeScorer()
    async with judging(scorer) as judge:
        assert await judge.judge(windows[0]) == Judgement()
    assert scorer.calls == []


@leaping
async def test_a_short_outage_costs_delay_and_no_verdict(scored: AlignedWindow) -> None:
    scorer = FakeScorer()
    scorer.attempt = away
    async with judging(scorer) as judge:
        asked = asyncio.create_task(judge.judge(scored))
        await asyncio.sleep(0.15)
        assert "nobody there" in str(judge.outage)
        scorer.attempt = lambda _: None
        assert (await asked).verdict is not None
        assert judge.outage is None


@leaping
async def test_after_the_patience_windows_go_out_unscored_at_once(scored: AlignedWindow) -> None:
    scorer = FakeScorer()
    scorer.attempt = away
    async with judging(scorer, replace(PATIENCE, probe_interval_s=60)) as judge:
        first, waited = await timed(judge, scored)
        assert first == Judgement(reason="model_unavailable")
        assert PATIENCE.outage_s <= waited < 3 * PATIENCE.outage_s
        calls = len(scorer.calls)
        second, waited = await timed(judge, scored)
        assert second == first
        assert waited < 0.05
        assert len(scorer.calls) == calls


@leaping
async def test_a_probe_finds_the_scorer_back_and_all_of_it_is_said_once(
    scored: AlignedWindow,
) -> None:
    scorer = FakeScorer()
    scorer.attempt = away
    with capture_logs() as lines:
        async with judging(scorer) as judge:
            await asyncio.gather(*(judge.judge(scored) for _ in range(5)))
            await judge.judge(scored)
            scorer.attempt = lambda _: None
            await until(lambda: judge.outage is None)
            assert (await judge.judge(scored)).verdict is not None
            await until(lambda: lines[-1]["event"] == "scoring_resumed")
    assert [line["event"] for line in lines] == [
        "triton_unreachable", "scoring_given_up", "triton_recovered", "scoring_resumed",
    ]  # fmt: skip


@leaping
async def test_windows_that_wait_too_long_are_reported(scored: AlignedWindow) -> None:
    scorer = FakeScorer()
    scorer.attempt = lambda _: asyncio.sleep(0.3)
    with capture_logs() as lines:
        async with judging(scorer, replace(PATIENCE, lag_s=0.1)) as judge:
            await judge.judge(scored)
            await until(lambda: lines[-1]["event"] == "scoring_lag_over")
    assert [line["event"] for line in lines] == ["scoring_lag", "scoring_lag_over"]
    assert lines[0]["furnace"] == scored.furnace_id


@leaping
async def test_a_window_that_nobody_can_score_does_not_prevent_recovery(
    windows: list[AlignedWindow],
) -> None:
    poison, healthy = windows[-1], windows[-2]
    scorer = FakeScorer()
    scorer.attempt = away
    async with judging(scorer) as judge:
        await judge.judge(poison)
        await judge.judge(healthy)
        scorer.attempt = lambda window: away(window) if window is poison else None
        await until(lambda: judge.outage is None)


@leaping
async def test_a_window_that_always_fails_is_no_outage_for_the_others(
    windows: list[AlignedWindow],
) -> None:
    poison, healthy = windows[-1], windows[-2]
    scorer = FakeScorer()
    scorer.attempt = lambda window: away(window) if window is poison else None
    async with judging(scorer) as judge:
        asked = asyncio.create_task(judge.judge(poison))
        while not asked.done():
            assert (await judge.judge(healthy)).verdict is not None
            await asyncio.sleep(0.02)
        assert asked.result() == Judgement(reason="model_unavailable")
        assert (await judge.judge(healthy)).verdict is not None


async def test_a_refused_window_is_not_tried_again(scored: AlignedWindow) -> None:
    scorer = FakeScorer()
    refusal = ContractViolation(Refusal.SCORING_REJECTED, "wrong shape")

    def refuse(_: AlignedWindow) -> None:
        raise refusal

    scorer.attempt = refuse
    async with judging(scorer) as judge:
        judgement = await judge.judge(scored)
    assert judgement == Judgement(reason="scoring_rejected", refusal=refusal)
    assert len(scorer.calls) == 1


@leaping
async def test_calls_at_a_time_are_bounded(windows: list[AlignedWindow]) -> None:
    scorer = FakeScorer()
    under_way = most = 0

    async def count() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1

    scorer.attempt = lambda _: count()
    async with judging(scorer) as judge:
        await asyncio.gather(*(judge.judge(window) for window in windows))
    assert most == PATIENCE.concurrency


async def test_overdue_windows_are_shed_only_when_that_is_wanted(scored: AlignedWindow) -> None:
    async with judging(FakeScorer(), replace(PATIENCE, shed_after_s=1.0)) as judge:
        assert await judge.judge(scored) == Judgement(reason="overload")
    async with judging(FakeScorer()) as judge:
        assert (await judge.judge(scored)).verdict is not None


@leaping
async def test_calls_from_before_a_turn_say_nothing_about_the_present(
    scored: AlignedWindow,
) -> None:
    """Those under way when the scorer dies may still answer, or fail after it is back."""
    scorer, held = FakeScorer(), list[asyncio.Future[None]]()

    async def hold() -> None:
        held.append(asyncio.get_running_loop().create_future())
        await held[-1]

    scorer.attempt = lambda _: hold()
    patience = Patience(outage_s=60.0, concurrency=3)
    with capture_logs() as lines:
        async with judging(scorer, patience) as judge:
            asked = [asyncio.create_task(judge.judge(scored)) for _ in range(3)]
            await until(lambda: len(held) == 3)
            held[0].set_exception(TransientError("gone"))
            await until(lambda: judge.outage is not None)
            held[1].set_result(None)
            await asked[1]
            assert judge.outage is not None
            await until(lambda: len(held) == 4)
            held[3].set_result(None)
            await asked[0]
            assert judge.outage is None
            held[2].set_exception(TransientError("gone"))
            await until(lambda: len(held) == 5)
            held[4].set_result(None)
            await asked[2]
    assert [line["event"] for line in lines] == ["triton_unreachable", "triton_recovered"]
