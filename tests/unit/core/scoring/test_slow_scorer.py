"""A scorer that is slow but answers: every window gets its verdict, however many wait."""

import asyncio
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.errors import EndpointError
from meltwatch_core.scoring.failover import Failover, FailoverTiming
from meltwatch_core.scoring.judge import Judge, Judgement, Patience
from meltwatch_core.scoring.ports import EnsembleIdentity, Verdict

from tests.support.leaping_loop import LeapingLoop, leap
from tests.unit.core.scoring.fakes import IDENTITY

DEADLINE_S = 2.0
VERDICT = Verdict(0.0, (0.0, 0.0), 0.0, np.zeros((64, 64), np.float32))


@dataclass(frozen=True)
class Window:
    """What a judge asks a window for."""

    furnace_id: str
    window_end_ns: int
    modalities: tuple[str, ...] = ("video",)


class SlowEndpoint:
    """Works on one window at a time, in the order in which they came.

    Parameters
    ----------
    loop
        Its time.
    service_s
        What a window takes.
    forgets
        Whether it passes over windows that nobody waits for any more.
    """

    name = "slow:1"

    def __init__(self, loop: LeapingLoop, service_s: float, *, forgets: bool) -> None:
        self._loop = loop
        self._service_s = service_s
        self._forgets = forgets
        self._free_at_s = 0.0
        self._turn = asyncio.Lock()
        self.poison: Window | None = None

    async def identify(self) -> EnsembleIdentity:
        return IDENTITY

    async def beat(self) -> None:
        pass

    async def reload(self, model: str) -> None:
        raise AssertionError(model)

    async def score_window(self, window: Any) -> Verdict:
        try:
            async with asyncio.timeout(DEADLINE_S):
                await (self._in_turn(window) if self._forgets else self._at_all_events(window))
        except TimeoutError:
            raise EndpointError("DEADLINE_EXCEEDED", "slow:1: Deadline Exceeded") from None
        return VERDICT

    async def _in_turn(self, window: Window) -> None:
        if window is self.poison:
            await asyncio.sleep(2 * DEADLINE_S)
        async with self._turn:
            await asyncio.sleep(self._service_s)

    async def _at_all_events(self, _: Window) -> None:
        self._free_at_s = max(self._free_at_s, self._loop.time()) + self._service_s
        await asyncio.sleep(self._free_at_s - self._loop.time())


def judged(
    loop: LeapingLoop, endpoint: SlowEndpoint, windows: list[Window], in_flight: int = 64
) -> list[Judgement]:
    """Have windows judged as a worker does: so many are under way, the others not yet read."""

    async def run() -> list[Judgement]:
        failover = Failover([endpoint], FailoverTiming(), loop, Metrics())
        await failover.identify()
        judge = Judge(failover, Patience(), loop, Metrics())
        watching = asyncio.create_task(judge.watch())
        room = asyncio.Semaphore(in_flight)

        async def one(window: Any) -> Judgement:
            async with room:
                return await judge.judge(window)

        found = await asyncio.gather(*map(one, windows))
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return found

    return leap(loop, run())


def some(count: int) -> list[Window]:
    return [Window(f"melt/F{number % 5}", number) for number in range(count)]


@given(
    service_s=st.floats(0.01, 0.95 * DEADLINE_S),
    forgets=st.booleans(),
    count=st.integers(1, 300),
    in_flight=st.integers(1, 100),
)
@example(service_s=1.9, forgets=False, count=300, in_flight=64)
@example(service_s=1.5, forgets=False, count=300, in_flight=64)
@example(service_s=0.5, forgets=True, count=300, in_flight=64)
def test_no_window_goes_out_unscored(
    service_s: float, forgets: bool, count: int, in_flight: int
) -> None:
    loop = LeapingLoop()
    endpoint = SlowEndpoint(loop, service_s, forgets=forgets)
    found = judged(loop, endpoint, some(count), in_flight)
    assert [each.reason for each in found if each.verdict is None] == []
    # Half of the time and a minute are the most that finding its pace costs.
    assert loop.time() <= 1.5 * service_s * count + 60.0


@pytest.mark.parametrize("service_s", [0.05, 0.9])
def test_a_window_that_is_never_answered_costs_the_others_nothing_but_time(
    service_s: float,
) -> None:
    loop = LeapingLoop()
    endpoint = SlowEndpoint(loop, service_s, forgets=True)
    windows = some(200)
    endpoint.poison = windows[3]
    found = judged(loop, endpoint, windows)
    unscored = [n for n, each in enumerate(found) if each.verdict is None]
    assert (unscored, found[3].reason) == ([3], "model_unavailable")


def test_a_quick_scorer_is_asked_as_much_at_a_time_as_before_soon_after_it_froze() -> None:
    loop = LeapingLoop()
    under_way, most = 0, list[tuple[float, int]]()

    class Frozen(SlowEndpoint):
        async def score_window(self, window: AlignedWindow) -> Verdict:
            nonlocal under_way
            under_way += 1
            try:
                most.append((loop.time(), under_way))
                if 1.0 < loop.time() < 10.0:
                    await asyncio.sleep(DEADLINE_S)
                    raise EndpointError("DEADLINE_EXCEEDED", "slow:1: Deadline Exceeded")
                await asyncio.sleep(0.03)
                return VERDICT
            finally:
                under_way -= 1

    found = judged(loop, Frozen(loop, 0.03, forgets=True), some(6000))
    assert all(each.verdict is not None for each in found)
    assert max(n for at_s, n in most if at_s < 1.0) == 8
    assert min(at_s for at_s, n in most if at_s > 10.0 and n == 8) < 25.0
