"""A model's process that died inside a server: cured once, said once."""

import asyncio

import pytest
from meltwatch_chassis.errors import TransientError
from meltwatch_core.scoring.errors import EndpointError, ReloadRefusedError
from meltwatch_core.scoring.ports import Verdict

from tests.support.leaping_loop import leaping
from tests.unit.core.scoring.failover.bench import WINDOW, FakeEndpoint, on
from tests.unit.core.scoring.fakes import until


@leaping
async def test_a_dead_stub_is_cured_once_however_many_calls_meet_it(a: FakeEndpoint) -> None:
    async with on(a) as (failover, log):
        await failover.score_window(WINDOW)
        a.lose_stub()
        calls = (failover.score_window(WINDOW) for _ in range(8))
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(result, TransientError) for result in results)
        await until(lambda: log.has("triton_stub_cured"))
        assert isinstance(await failover.score_window(WINDOW), Verdict)
    assert a.reloads == ["member_a"]
    assert log.said() == [("triton_stub_dead", "a:1"), ("triton_stub_cured", "a:1")]


@leaping
async def test_a_call_that_hears_late_of_a_stub_cured_meanwhile_says_nothing(
    a: FakeEndpoint,
) -> None:
    release = asyncio.Event()
    async with on(a) as (failover, log):
        await failover.score_window(WINDOW)
        a.lose_stub()
        dead = a.attempt

        async def dead_in_the_end() -> None:
            await release.wait()
            dead(WINDOW)

        a.attempt = lambda _: dead_in_the_end()
        late = asyncio.create_task(failover.score_window(WINDOW))
        await asyncio.sleep(0)
        a.attempt = dead
        with pytest.raises(TransientError):
            await failover.score_window(WINDOW)
        await until(lambda: log.has("triton_stub_cured"))
        release.set()
        with pytest.raises(TransientError):
            await late
        assert isinstance(await failover.score_window(WINDOW), Verdict)
    assert log.said() == [("triton_stub_dead", "a:1"), ("triton_stub_cured", "a:1")]


@leaping
async def test_a_window_that_meets_a_dead_stub_is_scored_elsewhere(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    async with on(a, b) as (failover, log):
        await failover.score_window(WINDOW)
        await failover.score_window(WINDOW)
        a.lose_stub()
        for _ in range(4):
            assert isinstance(await failover.score_window(WINDOW), Verdict)
        await until(lambda: log.has("triton_stub_cured"))
    assert (a.reloads, b.reloads) == (["member_a"], [])


@leaping
async def test_a_cure_that_does_not_help_is_not_repeated_at_once(a: FakeEndpoint) -> None:
    async with on(a) as (failover, log):
        await failover.score_window(WINDOW)
        a.lose_stub()
        a.on_reload = lambda: None
        with pytest.raises(TransientError):
            await failover.score_window(WINDOW)
        await until(lambda: len(a.calls) > 6)
        assert a.reloads == ["member_a"]
        assert log.said() == [("triton_stub_dead", "a:1")]


@leaping
async def test_a_server_that_lets_nobody_reload_says_so_once(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    def refuse() -> None:
        raise ReloadRefusedError("explicit model load / unload is not allowed")

    async with on(a, b) as (failover, log):
        await failover.score_window(WINDOW)
        await failover.score_window(WINDOW)
        a.lose_stub()
        a.on_reload = refuse
        for _ in range(4):
            assert isinstance(await failover.score_window(WINDOW), Verdict)
        await until(lambda: a.questions > 5)
        assert log.said() == [("triton_stub_dead", "a:1"), ("triton_stub_not_curable", "a:1")]
        a.start()
        await until(lambda: log.has("triton_stub_cured"))
    assert a.reloads == ["member_a"]


@leaping
async def test_a_server_that_is_gone_takes_its_dead_stub_with_it(a: FakeEndpoint) -> None:
    async with on(a) as (failover, log):
        await failover.score_window(WINDOW)
        a.lose_stub()
        with pytest.raises(TransientError):
            await failover.score_window(WINDOW)

        def gone_meanwhile() -> None:
            a.stop()
            raise EndpointError("UNAVAILABLE", "connection refused")

        a.on_reload = gone_meanwhile
        await until(lambda: log.has("triton_endpoint_lost"))
        a.start()
        await until(lambda: log.has("triton_endpoint_back"))
    assert a.reloads == ["member_a"]
    assert [event for event, _ in log.said()] == [
        "triton_stub_dead", "triton_endpoint_lost", "triton_endpoint_back",
    ]  # fmt: skip
