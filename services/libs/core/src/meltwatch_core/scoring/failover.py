"""Several endpoints as one scorer: whichever is in the rotation and least busy answers."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.metrics import Metrics
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.circuit import CircuitLimits
from meltwatch_core.scoring.endpoint import Common, TendedEndpoint
from meltwatch_core.scoring.errors import EndpointError, LateAnswerError, NobodyToAskError
from meltwatch_core.scoring.ports import EnsembleIdentity, ScoringEndpoint, Verdict

_CHECK_INTERVAL_S: Final = 30.0
_BEAT_INTERVAL_S: Final = 3.0
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FailoverTiming:
    """How long things may take.

    Attributes
    ----------
    check_s
        Interval in which endpoints in the rotation are asked who they are.
    beat_s
        Interval in which they are asked for a sign of life.
    patience_s
        How long the ensemble may be missing while endpoints serve another one.
    circuit
        What takes an endpoint out of the rotation, and when it is probed.
    """

    check_s: float = _CHECK_INTERVAL_S
    beat_s: float = _BEAT_INTERVAL_S
    patience_s: float = 60.0
    circuit: CircuitLimits = field(default_factory=CircuitLimits)


class Failover:
    """A ``Scorer`` on several endpoints that all serve the same ensemble.

    Parameters
    ----------
    endpoints
        At least one. The first that answers at the start says which ensemble all must serve.
    timing
        How long things may take.
    clock
        Monotonic time.
    metrics
        Failures and state per endpoint.
    """

    def __init__(
        self,
        endpoints: Sequence[ScoringEndpoint],
        timing: FailoverTiming,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._common = Common(clock, metrics)
        self._endpoints = [TendedEndpoint(each, timing.circuit, self._common) for each in endpoints]
        self._timing = timing
        self._turns = count()
        self._last_turn: dict[TendedEndpoint, int] = {}
        self._has_verdict = False

    @property
    def outage(self) -> str | None:
        """One line while the rotation is empty, else None."""
        if any(endpoint.circuit.is_closed for endpoint in self._endpoints):
            return None
        return f"no scoring endpoint answers: {self._troubles()}"

    @property
    def warning(self) -> str | None:
        """One line that names who is out of the rotation while others are in it, else None."""
        absent = [endpoint for endpoint in self._endpoints if not endpoint.circuit.is_closed]
        if not absent or len(absent) == len(self._endpoints):
            return None
        left = len(self._endpoints) - len(absent)
        troubles = "; ".join(endpoint.trouble for endpoint in absent)
        return f"{left} of {len(self._endpoints)} scoring endpoints left: {troubles}"

    async def identify(self) -> EnsembleIdentity:
        """Ask all endpoints who they are; the first in order that answers is who all must be.

        Raises
        ------
        TransientError
            If none answers.
        FatalError
            If all answer and none serves what the contract demands.
        """
        answers = await asyncio.gather(*(_answer(endpoint) for endpoint in self._endpoints))
        identities = [answer for answer in answers if isinstance(answer, EnsembleIdentity)]
        if not identities:
            raise self._nobody()
        self._common.reference = identities[0]
        for endpoint, answer in zip(self._endpoints, answers, strict=True):
            if isinstance(answer, EnsembleIdentity):
                endpoint.join(answer)
            else:
                endpoint.stay_away(answer)
        model = identities[0].model
        self._common.metrics.ensemble.clear()
        self._common.metrics.ensemble.labels(model.name, model.version, model.digest).set(1)
        _log.info(
            "ensemble_identified", name=model.name, version=model.version, digest=model.digest,
            endpoints=[endpoint.name for endpoint in self._endpoints if endpoint.circuit.is_closed],
        )  # fmt: skip
        return identities[0]

    async def score_window(self, window: AlignedWindow) -> Verdict:
        """Return the verdict of the first endpoint that gives one, each asked once at most.

        Raises
        ------
        NobodyToAskError
            If the rotation is empty.
        LateAnswerError
            If none of the rotation answers, and one of them not in time.
        TransientError
            If none of the rotation answers for other reasons.
        ContractViolation
            If the ensemble refuses the window.
        FatalError
            If no endpoint serves the ensemble any more.
        """
        # No window is known to be good yet: probe with the newest, not for ever with a bad one.
        if not self._has_verdict:
            self._common.probe_window = window
        asked: set[TendedEndpoint] = set()
        kind: type[TransientError] = NobodyToAskError
        while (endpoint := self._next(asked)) is not None:
            asked.add(endpoint)
            try:
                verdict = await endpoint.score_window(window)
            except EndpointError as error:
                if kind is not LateAnswerError:
                    kind = LateAnswerError if error.is_silence else TransientError
                continue
            self._common.probe_window, self._has_verdict = window, True
            return verdict
        raise self._nobody(kind)

    async def watch(self) -> None:
        """Watch and probe all endpoints; runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for endpoint in self._endpoints:
                group.create_task(endpoint.tend(self._timing.check_s, self._timing.beat_s))

    def _next(self, asked: Collection[TendedEndpoint]) -> TendedEndpoint | None:
        """Return the least busy endpoint in rotation; among equals, the one asked longest ago."""
        free = [each for each in self._endpoints if each.circuit.is_closed and each not in asked]
        if not free:
            return None
        chosen = min(free, key=lambda m: (m.under_way, self._last_turn.get(m, -1)))
        self._last_turn[chosen] = next(self._turns)
        return chosen

    def _nobody(self, kind: type[TransientError] = TransientError) -> Exception:
        text = self._troubles()
        if not self._is_replaced():
            return kind(f"no scoring endpoint answers: {text}")
        served = self._common.reference
        expected = f"the ensemble {served.model.digest[:12]} of the start" if served else "one"
        return FatalError(
            f"scoring: expected {expected}, no endpoint serves it: {text}; "
            "a restart takes up what is served now"
        )

    def _troubles(self) -> str:
        return "; ".join(endpoint.trouble for endpoint in self._endpoints)

    def _is_replaced(self) -> bool:
        """Whether waiting is useless: all were rejected, or they long serve another ensemble."""
        objections = [each.objection for each in self._endpoints if each.objection is not None]
        if len(objections) == len(self._endpoints):
            return True
        if any(endpoint.circuit.is_closed for endpoint in self._endpoints):
            return False
        alone_ns = max(endpoint.circuit.since_ns for endpoint in self._endpoints)
        away_ns = self._common.clock.monotonic_ns() - alone_ns
        is_over = away_ns >= self._timing.patience_s * NS_PER_S
        return is_over and any(objection.is_other for objection in objections)


async def _answer(endpoint: TendedEndpoint) -> EnsembleIdentity | EndpointError:
    try:
        return await endpoint.identify()
    except EndpointError as error:
        return error
