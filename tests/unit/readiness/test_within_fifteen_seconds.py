"""Whenever a server goes away and comes back, a service says so within 15 s.

The product's own loops run here with their own timeouts and periods, in a time that leaps. So what
counts is their sum on the worst path, and no machine is too slow for it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from meltwatch_alarm_manager import app
from meltwatch_alarm_manager.adapters import kafka_election
from meltwatch_alarm_manager.vitals import MANAGER, PROJECTOR, ManagerVitals
from meltwatch_chassis.dependencies import KAFKA, Dependencies, keep_asking
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.scoring import triton_endpoint
from meltwatch_core.scoring.errors import EndpointError
from meltwatch_core.scoring.failover import Failover
from meltwatch_core.scoring.judge import Judge
from meltwatch_core.scoring.ports import EnsembleIdentity, Verdict
from meltwatch_schemas.score import Modality
from meltwatch_stream_processor import bootstrap
from meltwatch_stream_processor.pipeline.retry import Retry
from meltwatch_stream_processor.settings import Settings
from structlog.testing import capture_logs

from tests.support.examples import examples
from tests.support.leaping_loop import LeapingLoop, leap
from tests.support.promise import PROMISED_S
from tests.unit.core.scoring.fakes import FakeScorer

ROUND_TRIP_S: Final = 0.05
HOP_S: Final = 1.44
CUT_AFTER_S: Final = 5.0
REBALANCE_DELAY_S: Final = 3.0
CONFIRMING_S: Final = 30.56
"""An endpoint is being asked who it is at this moment."""
WINDOW: Any = type(
    "AnyWindow", (), {"window_end_ns": 3, "furnace_id": "f", "modalities": tuple(Modality)}
)()
FAULTS = st.sampled_from(["killed", "frozen", "cut"])
MOMENTS = st.floats(0.0, 40.0)
DURATIONS = st.floats(0.0, 200.0)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


class Server:
    """Answers until it is struck: then it refuses, or says nothing until its connection is cut."""

    def __init__(self) -> None:
        self._state = "up"
        self._turn = asyncio.Event()

    def strike(self, fault: str) -> None:
        self._become("frozen" if fault == "cut" else fault)
        if fault == "cut":
            asyncio.get_running_loop().call_later(CUT_AFTER_S, self._cut)

    def end(self) -> None:
        self._become("up")

    async def answer(self) -> None:
        """Answer, or raise once nobody listens."""
        await asyncio.sleep(ROUND_TRIP_S)
        while self._state == "frozen":
            await self._turn.wait()
        if self._state == "killed":
            raise ConnectionRefusedError

    async def attempt(self) -> None:
        """Ask as our adapters do: what is refused may be tried again."""
        try:
            await self.answer()
        except ConnectionRefusedError as error:
            raise TransientError("refused") from error

    def _cut(self) -> None:
        if self._state == "frozen":
            self._become("killed")

    def _become(self, state: str) -> None:
        self._state = state
        self._turn.set()
        self._turn = asyncio.Event()


async def as_promised(condition: Callable[[], object]) -> None:
    """Wait for what must come within the time."""
    async with asyncio.timeout(PROMISED_S):
        while not condition():  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(ROUND_TRIP_S)


@asynccontextmanager
async def running(*works: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(work) for work in works]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def away_and_back(
    server: Server, problem: Callable[[], str | None], fault: str, at_s: float, lasts_s: float
) -> None:
    """Strike a server at a moment and end that after a while; each is told in time."""
    await as_promised(lambda: problem() is None)
    await asyncio.sleep(at_s)
    assert problem() is None
    server.strike(fault)
    await as_promised(problem)
    await asyncio.sleep(lasts_s)
    assert problem() is not None
    server.end()
    await as_promised(lambda: problem() is None)


@given(fault=FAULTS, at_s=MOMENTS, lasts_s=DURATIONS)
def test_a_probe_tells_of_kafka_and_redis(fault: str, at_s: float, lasts_s: float) -> None:
    loop = LeapingLoop()

    async def run() -> None:
        server, board = Server(), Dependencies(Metrics(), loop)

        board.expect(KAFKA)
        async with running(keep_asking(board, KAFKA, server.attempt)):
            await away_and_back(server, board.problem, fault, at_s, lasts_s)

    leap(loop, run())


@given(fault=FAULTS, at_s=MOMENTS, lasts_s=DURATIONS)
def test_an_attempt_that_failed_is_taken_back(fault: str, at_s: float, lasts_s: float) -> None:
    loop = LeapingLoop()

    async def run() -> None:
        server, board = Server(), Dependencies(Metrics(), loop)

        async def publish_regularly() -> None:
            while True:
                await Retry(board).until_done(server.attempt, "publishing")
                await asyncio.sleep(HOP_S)

        async with running(publish_regularly(), keep_asking(board, KAFKA, server.attempt)):
            await away_and_back(server, board.problem, fault, at_s, lasts_s)

    leap(loop, run())


@given(fault=FAULTS, at_s=MOMENTS, lasts_s=DURATIONS)
def test_an_alarm_manager_that_must_join_again_is_told_of(
    fault: str, at_s: float, lasts_s: float
) -> None:
    """The group waits for the manager that was until its session ends, and a moment by itself."""
    loop = LeapingLoop()

    async def run() -> None:
        server, board = Server(), Dependencies(Metrics(), loop)
        vitals = ManagerVitals(loop, board, Metrics())

        async def reach() -> None:
            try:
                await server.answer()
            except ConnectionRefusedError as error:
                raise TransientError("refused") from error

        def life(who: str, joining_s: float) -> Callable[[], Coroutine[Any, Any, None]]:
            async def live() -> None:
                await reach()
                await asyncio.sleep(joining_s)
                while True:
                    await reach()
                    vitals.note_working(who)
                    await asyncio.sleep(ROUND_TRIP_S)

            return live

        joining_s = kafka_election._SESSION_MS / 1000 + REBALANCE_DELAY_S
        async with running(
            app._persist(MANAGER, life(MANAGER, joining_s), vitals),
            app._persist(PROJECTOR, life(PROJECTOR, 0.0), vitals),
            keep_asking(board, KAFKA, reach),
        ):
            await away_and_back(server, vitals.readiness, fault, at_s, lasts_s)

    leap(loop, run())


class RemoteTriton(FakeScorer):
    """A server behind the deadlines of our client."""

    def __init__(self, name: str, explained_s: float) -> None:
        super().__init__()
        self.name = name
        self.server = Server()
        self._explained_s = explained_s

    async def beat(self) -> None:
        await self._asked(triton_endpoint._BEAT_DEADLINE_S, self._explained_s)

    async def identify(self) -> EnsembleIdentity:
        await self.beat()
        await self._asked(triton_endpoint._QUESTION_DEADLINE_S, self._explained_s)
        return self.identity

    async def score_window(self, window: Any) -> Verdict:
        await self._asked(Settings().scoring_deadline_s, 0.0)
        return await super().score_window(window)

    async def reload(self, model: str) -> None:
        raise AssertionError(f"no process of {self.name} ever dies, so {model} needs no cure")

    async def _asked(self, deadline_s: float, explained_s: float) -> None:
        try:
            async with asyncio.timeout(deadline_s):
                await self.server.answer()
        except TimeoutError as error:
            raise EndpointError("DEADLINE_EXCEEDED", f"{self.name}: no answer") from error
        except ConnectionRefusedError as error:
            # Why nobody answers is asked step by step, and takes its time.
            await asyncio.sleep(explained_s)
            raise EndpointError("UNAVAILABLE", f"{self.name}: refused") from error


EXPLANATIONS = st.sampled_from([0.0, triton_endpoint._EXPLANATION_S])


async def windows(judge: Judge) -> None:
    """Bring a window each hop; all that wait are dropped at the end, as by a rebalance."""
    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(judge.judge(WINDOW))
            await asyncio.sleep(HOP_S)


@examples(30)
@given(
    fault=FAULTS,
    at_s=MOMENTS,
    lasts_s=DURATIONS,
    explained_s=EXPLANATIONS,
    flow=st.sampled_from(["none", "steady", "ends"]),
)
@example("frozen", CONFIRMING_S, 0.0, 0.0, "none")
@example("killed", 0.0, 0.0, 0.0, "ends")
def test_the_only_triton_is_told_of_whether_or_not_windows_come(
    fault: str, at_s: float, lasts_s: float, explained_s: float, flow: str
) -> None:
    loop = LeapingLoop()

    async def run() -> None:
        triton, metrics, told = RemoteTriton("a:1", explained_s), Metrics(), Settings()
        failover = Failover([triton], bootstrap._timing(told), loop, metrics)
        judge = Judge(failover, bootstrap._patience(told), loop, metrics)
        await failover.identify()
        async with running(judge.watch()):
            if flow == "ends":
                async with running(windows(judge)):
                    await asyncio.sleep(at_s)
                    triton.server.strike(fault)
                    await as_promised(lambda: judge.outage)
                    await asyncio.sleep(lasts_s)
                triton.server.end()
                await as_promised(lambda: judge.outage is None)
            else:
                async with running(*([windows(judge)] if flow == "steady" else [])):
                    problem = lambda: judge.outage  # noqa: E731
                    await away_and_back(triton.server, problem, fault, at_s, lasts_s)

    leap(loop, run())


@examples(30)
@given(
    fault=FAULTS,
    at_s=MOMENTS,
    lasts_s=DURATIONS,
    explained_s=EXPLANATIONS,
    place=st.sampled_from([0, 1]),
)
@example("frozen", CONFIRMING_S, 0.0, 0.0, 0)
def test_each_of_two_tritons_is_warned_of(
    fault: str, at_s: float, lasts_s: float, explained_s: float, place: int
) -> None:
    loop = LeapingLoop()

    async def run() -> None:
        pair = [RemoteTriton(name, explained_s) for name in ("a:1", "b:1")]
        failover = Failover(pair, bootstrap._timing(Settings()), loop, Metrics())
        await failover.identify()
        async with running(failover.watch()):
            warning = lambda: failover.warning  # noqa: E731
            await away_and_back(pair[place].server, warning, fault, at_s, lasts_s)
            assert failover.outage is None

    leap(loop, run())
