"""A server that does as it is told, a rotation of such servers, and what it says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.circuit import CircuitLimits
from meltwatch_core.scoring.errors import DeadStubError, EndpointError
from meltwatch_core.scoring.failover import Failover, FailoverTiming
from meltwatch_core.scoring.ports import EnsembleIdentity
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.score import ModelIdentity
from meltwatch_schemas.window import NS_PER_MS
from structlog.testing import capture_logs

from tests.support.leaping_loop import LoopClock
from tests.unit.core.scoring.fakes import IDENTITY, FakeScorer

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
        if self.is_frozen:
            raise self._silence()
        if self.form_error:
            raise FatalError(self.form_error)
        return self.identity

    async def beat(self) -> None:
        self.beats += 1
        if not self.is_up:
            raise EndpointError("UNAVAILABLE", f"{self.name}: connection refused")
        if self.is_frozen or self.silences:
            self.silences = max(self.silences - 1, 0)
            raise self._silence()

    async def reload(self, model: str) -> None:
        self.reloads.append(model)
        self.on_reload()

    def _silence(self) -> EndpointError:
        return EndpointError("DEADLINE_EXCEEDED", f"{self.name}: no answer")


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
        failover = Failover(endpoints, timing, LoopClock(), metrics or Metrics())
        await failover.identify()
        watching = asyncio.create_task(failover.watch())
        yield failover, Log(lines)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
