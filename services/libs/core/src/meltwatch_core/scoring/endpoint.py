"""One endpoint of the rotation: its calls, why it left, how it is brought back.

Every change that a person would act on is one line of the log.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import astuple, dataclass
from typing import Any, Final, NamedTuple, TypeVar

import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.dependencies import TRITON
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.metrics import Metrics
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.circuit import Circuit, CircuitLimits, Remedy
from meltwatch_core.scoring.errors import DeadStubError, EndpointError, ReloadRefusedError
from meltwatch_core.scoring.ports import EnsembleIdentity, ScoringEndpoint, Verdict

# Nobody listens, or the ensemble is not loaded: the next call would fail too.
_DECISIVE: Final = frozenset({"UNAVAILABLE", "NOT_FOUND"})
# Abandon the call: the next endpoint may be quicker.
_SILENT: Final = "DEADLINE_EXCEEDED"
_MISSED_BEATS: Final = 2
_log = structlog.get_logger()
_Result = TypeVar("_Result")


@dataclass(slots=True)
class Common:
    """What the endpoints of a rotation share.

    Attributes
    ----------
    clock, metrics
        Monotonic time; failures and state per endpoint.
    reference
        The ensemble that all must serve, once it is known.
    probe_window
        What a probe asks about: the last window with a verdict, or else the newest; None before.
    """

    clock: Clock
    metrics: Metrics
    reference: EnsembleIdentity | None = None
    probe_window: AlignedWindow | None = None


class Objection(NamedTuple):
    """Why an endpoint that answers is not used.

    Attributes
    ----------
    text
        One line: what was expected and what came.
    is_other
        Whether it serves another ensemble that a restart could take up.
    """

    text: str
    is_other: bool


class TendedEndpoint:
    """An endpoint, its circuit, and what is known of its trouble.

    Parameters
    ----------
    endpoint
        Asked through this object alone.
    limits
        Of its circuit.
    common
        What all endpoints share.

    Attributes
    ----------
    circuit
        Closed while the endpoint is in the rotation.
    under_way
        Calls that wait for an answer.
    objection
        Why it is not used although it answers, or None.
    trouble
        What it said last that was no answer.
    """

    def __init__(self, endpoint: ScoringEndpoint, limits: CircuitLimits, common: Common) -> None:
        self.name = endpoint.name
        self.circuit = Circuit(limits, common.clock.monotonic_ns())
        self.under_way = 0
        self.objection: Objection | None = None
        self.trouble = f"{self.name} was not asked yet"
        self._endpoint = endpoint
        self._common = common
        self._left = asyncio.Event()
        self._dead_model: str | None = None
        self._remedy = Remedy()
        self._is_curable = True
        self._calls: set[asyncio.Task[Verdict]] = set()
        self._show(is_up=False)

    async def identify(self) -> EnsembleIdentity:
        """Ask the endpoint who it is.

        Raises
        ------
        EndpointError
            If it does not say, or its form is not that of the contract.
        """
        return await self._attempt(self._endpoint.identify)

    async def score_window(self, window: AlignedWindow) -> Verdict:
        """Return the endpoint's verdict.

        Raises
        ------
        EndpointError
            If another endpoint should be asked.
        ContractViolation
            If the right ensemble refuses the window.
        """
        self.under_way += 1
        try:
            return await self._attempt(lambda: self._carried(self._endpoint.score_window(window)))
        except ContractViolation:
            # Another ensemble, loaded a moment ago, may refuse a window that the right one scores.
            await self.confirm()
            raise
        finally:
            self.under_way -= 1

    async def confirm(self) -> None:
        """Check that the endpoint serves the reference.

        Raises
        ------
        EndpointError
            If it does not; it has left the rotation then.
        """
        self._compare(await self.identify())

    def join(self, found: EnsembleIdentity) -> None:
        """Take the endpoint into the rotation at the start, if it serves the reference."""
        with suppress(EndpointError):
            self._compare(found)
            self._close()

    def stay_away(self, failure: EndpointError) -> None:
        """Log that the endpoint is not in the rotation at the start."""
        if self.objection is None:
            self._say_lost(failure)

    async def tend(self, check_s: float, beat_s: float) -> None:
        """Watch the endpoint while in the rotation, probe it while not; runs until cancelled.

        Parameters
        ----------
        check_s
            Interval of the confirmations: a model that is reloaded in place shows in no error.
        beat_s
            Interval of the signs of life: one that hangs shows in nothing else for long.
        """
        while True:
            if self.circuit.is_closed:
                await self._accompany(check_s, beat_s)
            else:
                await asyncio.sleep(self.circuit.pause_ns / NS_PER_S)
                await self._probe()

    async def _accompany(self, check_s: float, beat_s: float) -> None:
        """Ask for signs of life and, at times, for the identity, until it leaves the rotation."""
        confirmed_ns, missed = self._now_ns(), 0
        while not await self._leaves_within(0.0 if missed else min(beat_s, check_s)):
            # After a missed sign the next is asked for at once: two in a row decide within seconds.
            missed = missed + 1 if await self._is_silent(missed) else 0
            if not missed and self._now_ns() - confirmed_ns >= check_s * NS_PER_S:
                confirmed_ns = self._now_ns()
                try:
                    await self.confirm()
                except EndpointError:
                    missed = 1  # a question without an answer is a missing sign of life, too

    async def _is_silent(self, missed: int) -> bool:
        """Ask for a sign of life; one that is missing is no failure of a call, several are."""
        started_ns = self._now_ns()
        try:
            await self._endpoint.beat()
        except EndpointError as failure:
            if failure.code in _DECISIVE or missed + 1 >= _MISSED_BEATS:
                self._failed(failure, started_ns, is_decisive=True)
            return True
        except FatalError as error:
            self._object(Objection(str(error), is_other=False))
        return False

    async def _carried(self, call: Coroutine[Any, Any, Verdict]) -> Verdict:
        """Return a call's verdict, unless the endpoint falls silent meanwhile."""
        task = asyncio.ensure_future(call)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        try:
            return await task
        except asyncio.CancelledError:
            # Not we were cancelled, but the call: the endpoint fell silent, and another one can
            # answer.
            if (this := asyncio.current_task()) is None or this.cancelling():
                raise
            raise EndpointError("CANCELLED", f"{self.name} fell silent meanwhile") from None

    async def _leaves_within(self, limit_s: float) -> bool:
        # Not wait_for: before Python 3.12 it may swallow a cancellation.
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._left.wait()
        return self._left.is_set()

    async def _probe(self) -> None:
        """Bring the endpoint back if it would score a window now."""
        if not self.circuit.begin_probe():
            return
        try:
            await self._cure()
            await self.confirm()
            window = self._common.probe_window
            if window is not None:
                # A refusal is an answer too: the window is bad, not the endpoint.
                with suppress(ContractViolation):
                    await self._attempt(lambda: self._endpoint.score_window(window))
        except EndpointError:
            self.circuit.probe_failed()
        else:
            self._came_back()

    async def _cure(self) -> None:
        """Reload a model whose process died; only here, so never twice at a time."""
        model, now_ns = self._dead_model, self._now_ns()
        if model is None or not self._is_curable or not self._remedy.is_due(now_ns):
            return
        self._remedy.tried(now_ns)
        try:
            await self._attempt(lambda: self._endpoint.reload(model))
        except ReloadRefusedError as refusal:
            self._is_curable = False
            _log.error(
                "triton_stub_not_curable", endpoint=self.name, model=model, error=str(refusal)
            )

    async def _attempt(self, call: Callable[[], Awaitable[_Result]]) -> _Result:
        started_ns = self._now_ns()
        try:
            result = await call()
        except EndpointError as failure:
            self._failed(failure, started_ns)
            raise
        except FatalError as error:
            raise self._object(Objection(str(error), is_other=False)) from error
        except ContractViolation:
            self.circuit.answered(started_ns)
            raise
        self.circuit.answered(started_ns)
        return result

    def _failed(
        self, failure: EndpointError, started_ns: int, *, is_decisive: bool = False
    ) -> None:
        self._common.metrics.scoring_failures.labels(self.name, failure.code).inc()
        if self.circuit.is_outdated(started_ns):
            return
        self.trouble = str(failure)
        dead_model = failure.model if isinstance(failure, DeadStubError) else None
        is_gone = failure.code in _DECISIVE
        has_left = self.circuit.failed(
            started_ns, self._now_ns(), decisive=is_decisive or is_gone or dead_model is not None
        )
        if has_left:
            self._leave()
            if failure.code == _SILENT:
                for task in self._calls:
                    task.cancel()
        if dead_model is not None:
            self._found_dead(dead_model)
        elif has_left or self.objection is not None or (is_gone and self._dead_model is not None):
            # A server that is gone takes its dead processes with it.
            self._dead_model = None
            self._say_lost(failure)
        self.objection = None

    def _found_dead(self, model: str) -> None:
        if model != self._dead_model:
            self._dead_model = model
            _log.warning("triton_stub_dead", endpoint=self.name, model=model, error=self.trouble)

    def _say_lost(self, failure: EndpointError) -> None:
        _log.warning(
            "triton_endpoint_lost", endpoint=self.name, code=failure.code, error=str(failure)
        )

    def _compare(self, found: EnsembleIdentity) -> None:
        reference = self._common.reference
        if reference is None or found == reference:
            self.objection = None
            return
        text = f"Triton at {self.name}: {difference(reference, found)}"
        raise self._object(Objection(text, is_other=True))

    def _object(self, objection: Objection) -> EndpointError:
        """Take the endpoint out of the rotation although it answers; say so once."""
        if objection != self.objection:
            self.objection = objection
            self.trouble = objection.text
            _log.error("triton_endpoint_refused", endpoint=self.name, difference=objection.text)
        if self.circuit.is_closed:
            self.circuit.open(self._now_ns())
            self._leave()
        return EndpointError("REFUSED", objection.text)

    def _leave(self) -> None:
        self._left.set()
        self._show(is_up=False)

    def _came_back(self) -> None:
        after_s = round((self._now_ns() - self.circuit.since_ns) / NS_PER_S, 3)
        if self._dead_model is None:
            _log.info("triton_endpoint_back", endpoint=self.name, after_s=after_s)
        else:
            model, self._dead_model = self._dead_model, None
            _log.info("triton_stub_cured", endpoint=self.name, model=model, after_s=after_s)
        self._is_curable = True
        self._close()

    def _close(self) -> None:
        self.circuit.close(self._now_ns())
        self._left.clear()
        self._show(is_up=True)

    def _show(self, *, is_up: bool) -> None:
        self._common.metrics.scoring_endpoint_up.labels(self.name).set(is_up)
        self._common.metrics.dependency_up.labels(f"{TRITON} {self.name}").set(is_up)

    def _now_ns(self) -> int:
        return self._common.clock.monotonic_ns()


def difference(expected: EnsembleIdentity, found: EnsembleIdentity) -> str:
    """Return in one line what two ensembles do not have in common."""
    names = ("name", "version", "digest", "encoder_id", "tensors")
    return "; ".join(
        f"expected {name} {_shown(wanted)}, got {_shown(got)}"
        for name, wanted, got in zip(names, _parts(expected), _parts(found), strict=True)
        if wanted != got
    )


def _parts(identity: EnsembleIdentity) -> tuple[object, ...]:
    return (*astuple(identity.model), identity.encoder_id, identity.tensors)


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
