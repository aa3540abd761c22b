"""Several endpoints as one scorer: who is asked, who leaves, who comes back, what is said."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.metrics import Metrics
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.score import ModelIdentity
from meltwatch_schemas.window import NS_PER_MS
from meltwatch_stream_processor.domain.aligned_window import AlignedWindow
from meltwatch_stream_processor.errors import DeadStubError, EndpointError, ReloadRefusedError
from meltwatch_stream_processor.pipeline.circuit import CircuitLimits
from meltwatch_stream_processor.pipeline.failover import Failover, FailoverTiming
from meltwatch_stream_processor.ports import EnsembleIdentity, Verdict
from structlog.testing import capture_logs

from tests.unit.stream_processor.pipeline.fakes import IDENTITY, FakeScorer, until

OTHER = replace(IDENTITY, model=ModelIdentity("fmformer", "2", "e" * 64))
TIMING = FailoverTiming(
    check_s=0.05,
    beat_s=0.01,
    patience_s=0.3,
    circuit=CircuitLimits(first_pause_ns=5 * NS_PER_MS, longest_pause_ns=20 * NS_PER_MS),
)
UNHURRIED = replace(TIMING, check_s=60.0, beat_s=60.0)
WINDOW: Any = type("AnyWindow", (), {"window_end_ns": 3})()
Behaviour = Callable[[AlignedWindow], object]


def gone(_: AlignedWindow) -> None:
    raise EndpointError("UNAVAILABLE", "connection refused")


def failing(_: AlignedWindow) -> None:
    raise EndpointError("INTERNAL", "out of memory")


def refusing(_: AlignedWindow) -> None:
    raise ContractViolation(Refusal.SCORING_REJECTED, "unexpected shape")


class FakeEndpoint(FakeScorer):
    """A server that does as it is told."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.is_up = True
        self.form_error = ""
        self.questions = 0
        self.beats = 0
        self.is_frozen = False
        self.silences = 0
        self.reloads: list[str] = []
        self.on_reload: Callable[[], None] = lambda: None

    def stop(self) -> None:
        self.is_up, self.attempt = False, gone

    def start(self) -> None:
        self.is_up, self.attempt = True, lambda _: None

    def lose_stub(self, model: str = "member_a") -> None:
        def dead(_: AlignedWindow) -> None:
            raise DeadStubError("INTERNAL", f"Stub process '{model}_0_0' is not healthy", model)

        self.attempt = dead
        self.on_reload = self.start

    async def identify(self) -> EnsembleIdentity:
        self.questions += 1
        if not self.is_up:
            raise EndpointError("UNAVAILABLE", f"{self.name}: connection refused")
        if self.form_error:
            raise FatalError(self.form_error)
        return self.identity

    async def beat(self) -> None:
        self.beats += 1
        if not self.is_up:
            raise EndpointError("UNAVAILABLE", f"{self.name}: connection refused")
        if self.is_frozen or self.silences:
            self.silences = max(self.silences - 1, 0)
            raise EndpointError("DEADLINE_EXCEEDED", f"{self.name}: no answer")

    async def reload(self, model: str) -> None:
        self.reloads.append(model)
        self.on_reload()


@pytest.fixture
def a() -> FakeEndpoint:
    return FakeEndpoint("a:1")


@pytest.fixture
def b() -> FakeEndpoint:
    return FakeEndpoint("b:1")


class Log:
    """What was said, in short: the event and whom it is about."""

    def __init__(self, lines: list[Any]) -> None:
        self.lines = lines

    def said(self) -> list[tuple[str, str]]:
        found = [(str(line["event"]), str(line.get("endpoint", ""))) for line in self.lines]
        return [line for line in found if line[0] != "ensemble_identified"]

    def has(self, event: str) -> bool:
        return any(line["event"] == event for line in self.lines)


@asynccontextmanager
async def on(
    *endpoints: FakeEndpoint, timing: FailoverTiming = UNHURRIED, metrics: Metrics | None = None
) -> AsyncIterator[tuple[Failover, Log]]:
    with capture_logs() as lines:
        failover = Failover(endpoints, timing, SystemClock(), metrics or Metrics())
        await failover.identify()
        watching = asyncio.create_task(failover.watch())
        yield failover, Log(lines)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_endpoints_take_turns(a: FakeEndpoint, b: FakeEndpoint) -> None:
    async with on(a, b) as (failover, log):
        for _ in range(6):
            assert isinstance(await failover.score(WINDOW), Verdict)
    assert len(a.calls) == len(b.calls) == 3
    assert log.said() == []


async def test_a_busy_endpoint_is_spared(a: FakeEndpoint, b: FakeEndpoint) -> None:
    release = asyncio.Event()
    a.attempt = lambda _: release.wait()
    async with on(a, b) as (failover, _):
        waiting = [asyncio.create_task(failover.score(WINDOW)) for _ in range(2)]
        await until(waiting[1].done)
        for _ in range(5):
            await failover.score(WINDOW)
        assert (len(a.calls), len(b.calls)) == (1, 6)
        release.set()
        await asyncio.gather(*waiting)


async def test_a_failed_call_is_tried_at_once_on_the_next(a: FakeEndpoint, b: FakeEndpoint) -> None:
    async with on(a, b) as (failover, log):
        a.stop()
        for _ in range(4):
            assert isinstance(await failover.score(WINDOW), Verdict)
        assert log.said() == [("triton_endpoint_lost", "a:1")]
    assert len(b.calls) == 4


async def test_an_endpoint_that_is_back_is_asked_again(a: FakeEndpoint, b: FakeEndpoint) -> None:
    metrics = Metrics()
    async with on(a, b, metrics=metrics) as (failover, log):
        assert metrics.registry.get_sample_value(*up("a:1")) == 1
        a.stop()
        await failover.score(WINDOW)
        await failover.score(WINDOW)
        assert metrics.registry.get_sample_value(*up("a:1")) == 0
        await until(lambda: a.questions > 3)
        a.start()
        await until(lambda: log.has("triton_endpoint_back"))
        calls = len(a.calls)
        await failover.score(WINDOW)
        await failover.score(WINDOW)
        assert len(a.calls) > calls
        assert metrics.registry.get_sample_value(*up("a:1")) == 1
    assert log.said() == [("triton_endpoint_lost", "a:1"), ("triton_endpoint_back", "a:1")]
    labels = {"endpoint": "a:1", "code": "UNAVAILABLE"}
    failures = metrics.registry.get_sample_value("meltwatch_scoring_failures_total", labels)
    assert failures is not None
    assert failures >= 3


def up(endpoint: str) -> tuple[str, dict[str, str]]:
    return "meltwatch_scoring_endpoint_up", {"endpoint": endpoint}


async def test_a_server_that_only_says_who_it_is_does_not_come_back(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    async with on(a, b) as (failover, log):
        for _ in range(12):
            a.attempt = failing
            await failover.score(WINDOW)
        await until(lambda: a.questions > 4)
        assert log.said() == [("triton_endpoint_lost", "a:1")]


async def test_one_failure_among_answers_is_no_loss(a: FakeEndpoint, b: FakeEndpoint) -> None:
    async with on(a, b) as (failover, log):
        for number in range(20):
            a.attempt = failing if number % 3 == 0 else lambda _: None
            await failover.score(WINDOW)
        assert log.said() == []


async def test_when_none_is_left_the_caller_hears_of_all(a: FakeEndpoint, b: FakeEndpoint) -> None:
    async with on(a, b) as (failover, log):
        a.stop()
        b.stop()
        with pytest.raises(TransientError, match=r"no scoring endpoint answers: .*; .*refused"):
            await failover.score(WINDOW)
        calls = len(a.calls) + len(b.calls)
        with pytest.raises(TransientError):
            await failover.score(WINDOW)
        assert len(a.calls) + len(b.calls) == calls
        b.start()
        await until(lambda: log.has("triton_endpoint_back"))
        assert isinstance(await failover.score(WINDOW), Verdict)


async def test_a_refused_window_is_asked_of_nobody_else(a: FakeEndpoint, b: FakeEndpoint) -> None:
    a.attempt = b.attempt = refusing
    async with on(a, b) as (failover, log):
        with pytest.raises(ContractViolation):
            await failover.score(WINDOW)
        assert log.said() == []
    assert len(a.calls) + len(b.calls) == 1


async def test_the_first_that_answers_says_which_ensemble_it_is(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    b.identity = OTHER
    async with on(a, b) as (failover, log):
        for _ in range(4):
            await failover.score(WINDOW)
        (refused,) = [line for line in log.lines if line["event"] == "triton_endpoint_refused"]
        assert refused["endpoint"] == "b:1"
        assert f"expected version 1, got 2; expected digest {'d' * 64}" in refused["difference"]
    assert (len(a.calls), len(b.calls)) == (4, 0)


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
        await failover.score(WINDOW)
        assert log.said() == [("triton_endpoint_refused", "a:1")]
    assert len(b.calls) == 1


async def test_a_reload_under_us_shows_without_any_error(a: FakeEndpoint, b: FakeEndpoint) -> None:
    async with on(a, b, timing=TIMING) as (failover, log):
        a.identity = OTHER
        await until(lambda: log.has("triton_endpoint_refused"))
        await failover.score(WINDOW)
        assert (len(a.calls), len(b.calls)) == (0, 1)
        b.identity = OTHER
        await until(lambda: len(log.said()) == 2)
        with pytest.raises(FatalError, match=r"expected the ensemble dddddddddddd of the start"):
            await failover.score(WINDOW)


async def test_a_window_that_a_reloaded_ensemble_refuses_is_scored_elsewhere(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    async with on(a, b) as (failover, log):
        a.identity, a.attempt = OTHER, refusing
        assert isinstance(await failover.score(WINDOW), Verdict)
        assert log.said() == [("triton_endpoint_refused", "a:1")]


async def test_another_ensemble_is_taken_up_only_after_the_patience(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    b.identity = OTHER
    async with on(a, b) as (failover, _):
        a.stop()
        for _ in range(5):
            with pytest.raises(TransientError):
                await failover.score(WINDOW)
        await asyncio.sleep(TIMING.patience_s)
        with pytest.raises(FatalError, match="a restart takes up what is served now"):
            await failover.score(WINDOW)


async def test_a_dead_stub_is_cured_once_however_many_calls_meet_it(a: FakeEndpoint) -> None:
    async with on(a) as (failover, log):
        await failover.score(WINDOW)
        a.lose_stub()
        calls = (failover.score(WINDOW) for _ in range(8))
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(result, TransientError) for result in results)
        await until(lambda: log.has("triton_stub_cured"))
        assert isinstance(await failover.score(WINDOW), Verdict)
    assert a.reloads == ["member_a"]
    assert log.said() == [("triton_stub_dead", "a:1"), ("triton_stub_cured", "a:1")]


async def test_a_call_that_hears_late_of_a_stub_cured_meanwhile_says_nothing(
    a: FakeEndpoint,
) -> None:
    release = asyncio.Event()
    async with on(a) as (failover, log):
        await failover.score(WINDOW)
        a.lose_stub()
        dead = a.attempt

        async def dead_in_the_end() -> None:
            await release.wait()
            dead(WINDOW)

        a.attempt = lambda _: dead_in_the_end()
        late = asyncio.create_task(failover.score(WINDOW))
        await asyncio.sleep(0)
        a.attempt = dead
        with pytest.raises(TransientError):
            await failover.score(WINDOW)
        await until(lambda: log.has("triton_stub_cured"))
        release.set()
        with pytest.raises(TransientError):
            await late
        assert isinstance(await failover.score(WINDOW), Verdict)
    assert log.said() == [("triton_stub_dead", "a:1"), ("triton_stub_cured", "a:1")]


async def test_a_window_that_meets_a_dead_stub_is_scored_elsewhere(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    async with on(a, b) as (failover, log):
        await failover.score(WINDOW)
        await failover.score(WINDOW)
        a.lose_stub()
        for _ in range(4):
            assert isinstance(await failover.score(WINDOW), Verdict)
        await until(lambda: log.has("triton_stub_cured"))
    assert (a.reloads, b.reloads) == (["member_a"], [])


async def test_a_cure_that_does_not_help_is_not_repeated_at_once(a: FakeEndpoint) -> None:
    async with on(a) as (failover, log):
        await failover.score(WINDOW)
        a.lose_stub()
        a.on_reload = lambda: None
        with pytest.raises(TransientError):
            await failover.score(WINDOW)
        await until(lambda: len(a.calls) > 6)
        assert a.reloads == ["member_a"]
        assert log.said() == [("triton_stub_dead", "a:1")]


async def test_a_server_that_lets_nobody_reload_says_so_once(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    def refuse() -> None:
        raise ReloadRefusedError("explicit model load / unload is not allowed")

    async with on(a, b) as (failover, log):
        await failover.score(WINDOW)
        await failover.score(WINDOW)
        a.lose_stub()
        a.on_reload = refuse
        for _ in range(4):
            assert isinstance(await failover.score(WINDOW), Verdict)
        await until(lambda: a.questions > 5)
        assert log.said() == [("triton_stub_dead", "a:1"), ("triton_stub_not_curable", "a:1")]
        a.start()
        await until(lambda: log.has("triton_stub_cured"))
    assert a.reloads == ["member_a"]


async def test_a_probe_asks_about_a_window_that_was_scored_before(a: FakeEndpoint) -> None:
    poison: Any = type("AnyWindow", (), {"window_end_ns": 4})()
    async with on(a) as (failover, log):
        await failover.score(WINDOW)
        a.attempt = lambda window: failing(window) if window is poison else None
        for _ in range(3):
            with pytest.raises(TransientError):
                await failover.score(poison)
        await until(lambda: log.has("triton_endpoint_back"))
        assert isinstance(await failover.score(WINDOW), Verdict)


async def test_with_no_window_scored_yet_a_probe_asks_about_the_newest(a: FakeEndpoint) -> None:
    async with on(a) as (failover, log):
        a.attempt = failing
        for _ in range(4):
            with pytest.raises(TransientError):
                await failover.score(WINDOW)
        await until(lambda: a.questions > 4)
        assert log.said() == [("triton_endpoint_lost", "a:1")]


async def test_a_server_that_is_gone_takes_its_dead_stub_with_it(a: FakeEndpoint) -> None:
    async with on(a) as (failover, log):
        await failover.score(WINDOW)
        a.lose_stub()
        with pytest.raises(TransientError):
            await failover.score(WINDOW)

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
                await failover.score(WINDOW)


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


async def test_windows_of_one_that_hangs_are_scored_elsewhere_at_once(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    a.attempt = lambda _: asyncio.Event().wait()
    async with on(a, b, timing=replace(TIMING, check_s=60.0)) as (failover, _):
        hanging = asyncio.create_task(failover.score(WINDOW))
        await until(lambda: len(a.calls) == 1)
        a.is_frozen = True
        assert isinstance(await asyncio.wait_for(hanging, 20), Verdict)
    assert len(b.calls) == 1


async def test_a_missing_sign_of_life_is_no_loss(a: FakeEndpoint) -> None:
    async with on(a, timing=replace(TIMING, check_s=60.0)) as (failover, log):
        for _ in range(5):
            a.silences, beats = 1, a.beats
            await until(lambda: a.beats >= beats + 3)  # noqa: B023 - awaited in the same turn
            assert failover.outage is None
    assert log.said() == []


async def test_signs_of_life_do_not_excuse_one_that_fails_every_window(
    a: FakeEndpoint, b: FakeEndpoint
) -> None:
    a.attempt = failing
    async with on(a, b, timing=replace(TIMING, check_s=60.0)) as (failover, log):
        for _ in range(6):
            await failover.score(WINDOW)
            beats = a.beats
            await until(lambda: a.beats > beats or log.lines)  # noqa: B023 - awaited in the same turn
        assert log.has("triton_endpoint_lost")
    assert len(a.calls) >= 3
