"""Another ensemble at an endpoint: it is not used, and one line says why."""

import asyncio

import pytest
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.scoring.failover import Failover
from meltwatch_core.scoring.ports import Verdict

from tests.support.leaping_loop import leaping
from tests.unit.core.scoring.failover.bench import (
    OTHER,
    TIMING,
    UNHURRIED,
    WINDOW,
    FakeEndpoint,
    on,
    refusing,
)
from tests.unit.core.scoring.fakes import IDENTITY, until


async def test_the_first_that_answers_says_which_ensemble_it_is(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    b.identity = OTHER
    async with on(a, b) as (failover, log):
        for _ in range(4):
            await failover.score_window(WINDOW)
        (refused,) = [line for line in log.lines if line["event"] == "triton_endpoint_refused"]
        assert refused["endpoint"] == "b:1"
        assert f"expected version 1, got 2; expected digest {'d' * 64}" in refused["difference"]
    assert (len(a.calls), len(b.calls)) == (4, 0)


async def test_the_metrics_name_the_one_ensemble_that_scores_here(a: FakeEndpoint) -> None:
    metrics = Metrics()
    for identity in (IDENTITY, OTHER):  # as where a process begins again
        a.identity = identity
        await Failover([a], UNHURRIED, SystemClock(), metrics).identify()
    (family,) = (f for f in metrics.registry.collect() if f.name == "meltwatch_ensemble_info")
    (sample,) = family.samples
    model = OTHER.model
    assert sample.labels == {"name": model.name, "version": "2", "digest": model.digest}


@leaping
async def test_one_that_is_away_at_the_start_joins_later(a: FakeEndpoint, b: FakeEndpoint) -> None:
    a.stop()
    b.identity = OTHER
    async with on(a, b) as (_, log):
        assert log.said() == [("triton_endpoint_lost", "a:1")]
        a.start()
        await until(lambda: log.has("triton_endpoint_refused"))
        a.identity = OTHER
        await until(lambda: log.has("triton_endpoint_back"))
    assert [event for event, _ in log.said()] == [
        "triton_endpoint_lost", "triton_endpoint_refused", "triton_endpoint_back",
    ]  # fmt: skip


async def test_nobody_at_the_start_is_worth_another_try(a: FakeEndpoint) -> None:
    a.stop()
    failover = Failover([a], UNHURRIED, SystemClock(), Metrics())
    with pytest.raises(TransientError, match="connection refused"):
        await failover.identify()
    a.start()
    assert await failover.identify() == IDENTITY


async def test_an_ensemble_against_the_contract_everywhere_is_fatal(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    a.form_error = b.form_error = "expected spec_id 1, got 2"
    with pytest.raises(FatalError, match="expected spec_id 1, got 2"):
        await Failover([a, b], UNHURRIED, SystemClock(), Metrics()).identify()


async def test_an_ensemble_against_the_contract_on_one_is_refused(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    a.form_error = "expected spec_id 1, got 2"
    async with on(a, b) as (failover, log):
        await failover.score_window(WINDOW)
        assert log.said() == [("triton_endpoint_refused", "a:1")]
    assert len(b.calls) == 1


@leaping
async def test_a_reload_under_us_shows_without_any_error(a: FakeEndpoint, b: FakeEndpoint) -> None:
    async with on(a, b, timing=TIMING) as (failover, log):
        a.identity = OTHER
        await until(lambda: log.has("triton_endpoint_refused"))
        await failover.score_window(WINDOW)
        assert (len(a.calls), len(b.calls)) == (0, 1)
        b.identity = OTHER
        await until(lambda: len(log.said()) == 2)
        with pytest.raises(FatalError, match=r"expected the ensemble dddddddddddd of the start"):
            await failover.score_window(WINDOW)


async def test_a_window_that_a_reloaded_ensemble_refuses_is_scored_elsewhere(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    async with on(a, b) as (failover, log):
        a.identity, a.attempt = OTHER, refusing
        assert isinstance(await failover.score_window(WINDOW), Verdict)
        assert log.said() == [("triton_endpoint_refused", "a:1")]


@leaping
async def test_another_ensemble_is_taken_up_only_after_the_patience(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    b.identity = OTHER
    async with on(a, b) as (failover, _):
        a.stop()
        for _ in range(5):
            with pytest.raises(TransientError):
                await failover.score_window(WINDOW)
        await asyncio.sleep(TIMING.patience_s)
        with pytest.raises(FatalError, match="a restart takes up what is served now"):
            await failover.score_window(WINDOW)


@leaping
async def test_a_refused_endpoint_that_goes_away_is_no_reason_to_end(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    b.identity = OTHER
    async with on(a, b) as (failover, log):
        b.stop()
        await until(lambda: log.has("triton_endpoint_lost"))
        a.stop()
        await asyncio.sleep(1.5 * TIMING.patience_s)
        for _ in range(3):
            with pytest.raises(TransientError):
                await failover.score_window(WINDOW)
