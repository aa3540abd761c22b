"""An endpoint that hangs is missed whether or not windows come."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.scoring.ports import Verdict

from tests.support.leaping_loop import leaping
from tests.unit.core.scoring.failover.bench import TIMING, WINDOW, FakeEndpoint, failing, on
from tests.unit.core.scoring.fakes import until


@leaping
async def test_one_that_hangs_leaves_without_any_window_and_is_back_without_one(
    a: FakeEndpoint,
) -> None:
    metrics = Metrics()

    def is_up() -> float | None:
        labels = {"dependency": "triton a:1"}
        return metrics.registry.get_sample_value("meltwatch_dependency_up", labels)

    async with on(a, timing=replace(TIMING, check_s=60.0), metrics=metrics) as (failover, log):
        assert (failover.outage, is_up()) == (None, 1)
        a.is_frozen = True
        await until(lambda: failover.outage is not None)
        assert failover.outage == "no scoring endpoint answers: a:1: no answer"
        assert is_up() == 0
        a.is_frozen = False
        await until(lambda: failover.outage is None)
        assert is_up() == 1
    assert log.said() == [("triton_endpoint_lost", "a:1"), ("triton_endpoint_back", "a:1")]


@leaping
async def test_windows_of_one_that_hangs_are_scored_elsewhere_at_once(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    a.attempt = lambda _: asyncio.Event().wait()
    async with on(a, b, timing=replace(TIMING, check_s=60.0)) as (failover, _):
        hanging = asyncio.create_task(failover.score_window(WINDOW))
        await until(lambda: len(a.calls) == 1)
        a.is_frozen = True
        assert isinstance(await asyncio.wait_for(hanging, 20), Verdict)
    assert len(b.calls) == 1


@leaping
async def test_a_missing_sign_of_life_is_no_loss(a: FakeEndpoint) -> None:
    async with on(a, timing=replace(TIMING, check_s=60.0)) as (failover, log):
        for _ in range(5):
            a.silences, beats = 1, a.beats
            await until(lambda: a.beats >= beats + 3)  # noqa: B023 - awaited in the same turn
            assert failover.outage is None
    assert log.said() == []


@leaping
async def test_signs_of_life_do_not_excuse_one_that_fails_every_window(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    a.attempt = failing
    async with on(a, b, timing=replace(TIMING, check_s=60.0)) as (failover, log):
        for _ in range(6):
            await failover.score_window(WINDOW)
            beats = a.beats
            await until(lambda: a.beats > beats or log.lines)  # noqa: B023 - awaited in the same turn
        assert log.has("triton_endpoint_lost")
    assert len(a.calls) >= 3


@pytest.mark.parametrize("place", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize("fault", ["killed", "frozen"])
@leaping
async def test_one_of_two_that_is_away_is_a_warning_and_no_outage(
    a: FakeEndpoint, b: FakeEndpoint, place: int, fault: str
) -> None:
    lost, metrics = (a, b)[place], Metrics()

    def up() -> list[float | None]:
        return [
            metrics.registry.get_sample_value(
                "meltwatch_dependency_up", {"dependency": f"triton {each.name}"}
            )
            for each in (a, b)
        ]

    async with on(a, b, timing=replace(TIMING, check_s=60.0), metrics=metrics) as (failover, log):
        assert (failover.warning, up()) == (None, [1, 1])
        if fault == "killed":
            lost.stop()
        else:
            lost.is_frozen = True
        await until(lambda: failover.warning is not None)
        said = {"killed": "connection refused", "frozen": "no answer"}[fault]
        assert failover.warning == f"1 of 2 scoring endpoints left: {lost.name}: {said}"
        assert (failover.outage, up()) == (None, [float(each is not lost) for each in (a, b)])
        assert isinstance(await failover.score_window(WINDOW), Verdict)
        (b if lost is a else a).stop()
        await until(lambda: failover.outage is not None)
        assert (failover.warning, up()) == (None, [0, 0])
        for each in (a, b):
            each.start()
            each.is_frozen = False
        await until(lambda: failover.outage is None and failover.warning is None)
        assert up() == [1, 1]
    assert Counter(log.said()) == {
        (f"triton_endpoint_{word}", each.name): 1 for word in ("lost", "back") for each in (a, b)
    }
