"""Which endpoint of the rotation is asked, which leaves it, which comes back."""

import asyncio
from typing import Any

import pytest
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.scoring.ports import Verdict
from meltwatch_schemas.errors import ContractViolation

from tests.support.leaping_loop import leaping
from tests.unit.core.scoring.failover.bench import WINDOW, FakeEndpoint, failing, on, refusing
from tests.unit.core.scoring.fakes import until


async def test_endpoints_take_turns(a: FakeEndpoint, b: FakeEndpoint) -> None:
    async with on(a, b) as (failover, log):
        for _ in range(6):
            assert isinstance(await failover.score_window(WINDOW), Verdict)
    assert len(a.calls) == len(b.calls) == 3
    assert log.said() == []


@leaping
async def test_a_busy_endpoint_is_spared(a: FakeEndpoint, b: FakeEndpoint) -> None:
    release = asyncio.Event()
    a.attempt = lambda _: release.wait()
    async with on(a, b) as (failover, _):
        waiting = [asyncio.create_task(failover.score_window(WINDOW)) for _ in range(2)]
        await until(waiting[1].done)
        for _ in range(5):
            await failover.score_window(WINDOW)
        assert (len(a.calls), len(b.calls)) == (1, 6)
        release.set()
        await asyncio.gather(*waiting)


async def test_a_failed_call_is_tried_at_once_on_the_next(a: FakeEndpoint, b: FakeEndpoint) -> None:
    async with on(a, b) as (failover, log):
        a.stop()
        for _ in range(4):
            assert isinstance(await failover.score_window(WINDOW), Verdict)
        assert log.said() == [("triton_endpoint_lost", "a:1")]
    assert len(b.calls) == 4


@leaping
async def test_an_endpoint_that_is_back_is_asked_again(a: FakeEndpoint, b: FakeEndpoint) -> None:
    metrics = Metrics()
    async with on(a, b, metrics=metrics) as (failover, log):
        assert metrics.registry.get_sample_value(*up("a:1")) == 1
        a.stop()
        await failover.score_window(WINDOW)
        await failover.score_window(WINDOW)
        assert metrics.registry.get_sample_value(*up("a:1")) == 0
        await until(lambda: a.questions > 3)
        a.start()
        await until(lambda: log.has("triton_endpoint_back"))
        calls = len(a.calls)
        await failover.score_window(WINDOW)
        await failover.score_window(WINDOW)
        assert len(a.calls) > calls
        assert metrics.registry.get_sample_value(*up("a:1")) == 1
    assert log.said() == [("triton_endpoint_lost", "a:1"), ("triton_endpoint_back", "a:1")]
    labels = {"endpoint": "a:1", "code": "UNAVAILABLE"}
    failures = metrics.registry.get_sample_value("meltwatch_scoring_failures_total", labels)
    assert failures is not None
    assert failures >= 3


def up(endpoint: str) -> tuple[str, dict[str, str]]:
    return "meltwatch_scoring_endpoint_up", {"endpoint": endpoint}


@leaping
async def test_a_server_that_only_says_who_it_is_does_not_come_back(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    async with on(a, b) as (failover, log):
        for _ in range(12):
            a.attempt = failing
            await failover.score_window(WINDOW)
        await until(lambda: a.questions > 4)
        assert log.said() == [("triton_endpoint_lost", "a:1")]


async def test_one_failure_among_answers_is_no_loss(a: FakeEndpoint, b: FakeEndpoint) -> None:
    async with on(a, b) as (failover, log):
        for number in range(20):
            a.attempt = failing if number % 3 == 0 else lambda _: None
            await failover.score_window(WINDOW)
        assert log.said() == []


@leaping
async def test_when_none_is_left_the_caller_hears_of_all(a: FakeEndpoint, b: FakeEndpoint) -> None:
    async with on(a, b) as (failover, log):
        a.stop()
        b.stop()
        with pytest.raises(TransientError, match=r"no scoring endpoint answers: .*; .*refused"):
            await failover.score_window(WINDOW)
        calls = len(a.calls) + len(b.calls)
        with pytest.raises(TransientError):
            await failover.score_window(WINDOW)
        assert len(a.calls) + len(b.calls) == calls
        b.start()
        await until(lambda: log.has("triton_endpoint_back"))
        assert isinstance(await failover.score_window(WINDOW), Verdict)


async def test_a_refused_window_is_asked_of_nobody_else(a: FakeEndpoint, b: FakeEndpoint) -> None:
    a.attempt = b.attempt = refusing
    async with on(a, b) as (failover, log):
        with pytest.raises(ContractViolation):
            await failover.score_window(WINDOW)
        assert log.said() == []
    assert len(a.calls) + len(b.calls) == 1


@leaping
async def test_a_probe_asks_about_a_window_that_was_scored_before(a: FakeEndpoint) -> None:
    poison: Any = type("AnyWindow", (), {"window_end_ns": 4})()
    async with on(a) as (failover, log):
        await failover.score_window(WINDOW)
        a.attempt = lambda window: failing(window) if window is poison else None
        for _ in range(3):
            with pytest.raises(TransientError):
                await failover.score_window(poison)
        await until(lambda: log.has("triton_endpoint_back"))
        assert isinstance(await failover.score_window(WINDOW), Verdict)


@leaping
async def test_with_no_window_scored_yet_a_probe_asks_about_the_newest(a: FakeEndpoint) -> None:
    async with on(a) as (failover, log):
        a.attempt = failing
        for _ in range(4):
            with pytest.raises(TransientError):
                await failover.score_window(WINDOW)
        await until(lambda: a.questions > 4)
        assert log.said() == [("triton_endpoint_lost", "a:1")]
