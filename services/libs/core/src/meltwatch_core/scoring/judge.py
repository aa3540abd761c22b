"""A judgement on every window: in an outage retry, then give up at once until it is over."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.metrics import Metrics
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.back_off import back_off
from meltwatch_core.scoring.errors import LateAnswerError, NobodyToAskError
from meltwatch_core.scoring.lag import ScoringLag
from meltwatch_core.scoring.ports import Scorer, Verdict

MODEL_UNAVAILABLE: Final = Reason.MODEL_UNAVAILABLE
SCORING_REJECTED: Final = Reason.SCORING_REJECTED
OVERLOAD: Final = Reason.OVERLOAD
# How long a window may still wait when the scorer is back. While it is away, asking is free.
_LONGEST_PAUSE_S: Final = 2.0
# Of a window that others are answered beside.
_FAILURES_OF_ITS_OWN: Final = 4
# After so many answers for each call at a time, one more at a time is tried.
_ANSWERS_EACH: Final = 8
_MOST_ANSWERS_EACH: Final = 256
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of scoring a window.

    Attributes
    ----------
    verdict
        None when the window stays unscored.
    scored_ns
        Wall clock of the verdict.
    reason
        Why scoring failed, one word for the score's ``reasons``; None if it did not.
    refusal
        The scorer's refusal of this very window, which is also set aside as a dead letter.
    """

    verdict: Verdict | None = None
    scored_ns: int | None = None
    reason: Reason | None = None
    refusal: ContractViolation | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a scorer may be away before windows go out unscored.

    Attributes
    ----------
    outage_s
        So long without an answer to anybody is an outage, wall time. One window that fails beside
        others that are answered is tried for as long, and several times.
    probe_interval_s
        Pause between probes while windows go out unscored.
    concurrency
        Most calls to the scorer at a time.
    shed_after_s
        Windows whose end is older than this go out unscored at once; None never sheds.
    lag_s
        A window that waits longer for its judgement is reported.
    """

    outage_s: float = 60.0
    probe_interval_s: float = 3.0
    concurrency: int = 8
    shed_after_s: float | None = None
    lag_s: float = 10.0


class Slots:
    """How many calls are under way at a time: fewer while a slow scorer answers too late.

    Calls wait for each other in a slow scorer. As many at a time as a quick one takes would all
    be late, although each alone would be answered. So the number is halved when one is late, and
    grows by one after a while of answers.

    Parameters
    ----------
    most
        So many for a quick scorer.
    """

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)
        self._most = most
        self._number = most
        self._to_take_back = 0
        self._wanted = _ANSWERS_EACH
        self._answers = 0
        self._has_grown = False
        self._turn = 0

    async def __aenter__(self) -> int:
        """Wait for a slot; return how often the number was halved so far."""
        await self._free.acquire()
        return self._turn

    async def __aexit__(self, *_: object) -> None:
        if self._to_take_back:
            self._to_take_back -= 1
        else:
            self._free.release()

    def narrow(self, turn: int) -> None:
        """Halve the number, unless it was halved since the call began that was late."""
        self._answers = 0
        if turn == self._turn:
            if self._has_grown:  # that was one too many: the next try comes later
                self._wanted = min(2 * self._wanted, _MOST_ANSWERS_EACH)
            fewer = max(self._number // 2, 1)
            self._to_take_back += self._number - fewer
            self._number, self._has_grown = fewer, False
            self._turn += 1

    def widen(self) -> None:
        """Take note of an answer."""
        if self._number == self._most:
            return
        self._answers += 1
        if self._answers < self._wanted * self._number:
            return
        self._answers, self._has_grown = 0, True
        self._number += 1
        if self._number == self._most:
            self._wanted = _ANSWERS_EACH
        if self._to_take_back:
            self._to_take_back -= 1
        else:
            self._free.release()


class Judge:
    """Scores windows with one ensemble and says why where it cannot.

    Parameters
    ----------
    scorer
        The ensemble.
    patience
        Bounds in time and number.
    clock
        Wall time for stamps and shedding, monotonic time for patience.
    metrics
        Duration of the calls and the members' disagreement are observed.
    """

    def __init__(
        self,
        scorer: Scorer,
        patience: Patience,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._scorer = scorer
        self._patience = patience
        self._clock = clock
        self._metrics = metrics
        self._lag = ScoringLag(patience.lag_s, clock)
        self._slots = Slots(patience.concurrency)
        self._failing = False
        # When an outage began or ended: calls begun before it say nothing about the present.
        self._turned_ns = clock.monotonic_ns()
        self._failure = ""
        self._last_answer_ns = clock.monotonic_ns()
        self._given_up = asyncio.Event()
        self._probe_with: AlignedWindow | None = None

    @property
    def outage(self) -> str | None:
        """One line while the scorer does not answer, else None.

        A failure counts as long as somebody waits to try again: windows that moved to another
        worker will never report that the scorer is back.
        """
        is_tried_again = self._lag.count > 0 or self._given_up.is_set()
        if not (self._failing and is_tried_again):
            return self._scorer.outage
        silent_s = self._seconds_since(self._turned_ns)
        return f"the scorer has not answered for {silent_s:.0f} s: {self._failure}"

    async def judge(self, window: AlignedWindow) -> Judgement:
        """Return the judgement on a window: in an outage after the patience, of a slow scorer late.

        Raises
        ------
        FatalError
            If the ensemble is not the one that this process started with.
        """
        # Nothing to ask about: it is published unscored, and its quality words say why.
        if not window.modalities:
            return Judgement()
        with self._lag.waiting(window.furnace_id):
            return await self._judge(window)

    async def watch(self) -> None:
        """Watch the scorer and the waiting windows; runs until cancelled.

        Raises
        ------
        ExceptionGroup
            Of ``FatalError`` if another ensemble is served: a restart takes it up.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._scorer.watch())
            group.create_task(self._lag.watch())
            group.create_task(self._probe_when_given_up())

    async def _judge(self, window: AlignedWindow) -> Judgement:
        failures, first_failure_ns = 0, 0
        for pause_s in back_off(longest_s=_LONGEST_PAUSE_S):
            if self._is_overdue(window):
                return Judgement(reason=OVERLOAD)
            outcome = await self._attempt(window)
            if isinstance(outcome, Judgement):
                return outcome
            first_failure_ns = first_failure_ns or self._clock.monotonic_ns()
            failures += not isinstance(outcome, NobodyToAskError)
            if self._is_away(first_failure_ns):
                self._give_up()
                break
            # Others are answered: a window that waits for its turn in a slow scorer is not at fault
            # before it has failed by itself, several times.
            is_long = self._seconds_since(first_failure_ns) >= self._patience.outage_s
            if is_long and failures >= _FAILURES_OF_ITS_OWN:
                break
            if await self._gave_up_within(pause_s):
                break
        # The newest one: recovery must not depend on a window that nobody can score.
        self._probe_with = window
        return Judgement(reason=MODEL_UNAVAILABLE)

    async def _probe_when_given_up(self) -> None:
        """Ask the scorer about a window from time to time while others go out unscored."""
        while True:
            await self._given_up.wait()
            await asyncio.sleep(self._patience.probe_interval_s)
            if self._probe_with is None or isinstance(
                await self._call(self._probe_with), Judgement
            ):
                self._given_up.clear()
                self._probe_with = None
                _log.info("scoring_resumed")

    async def _attempt(self, window: AlignedWindow) -> Judgement | TransientError | None:
        async with self._slots as turn:
            # Windows that waited here while others gave up must not try again.
            if self._given_up.is_set():
                return None
            outcome = await self._call(window)
            if isinstance(outcome, Judgement):
                self._slots.widen()
            elif isinstance(outcome, LateAnswerError):
                self._slots.narrow(turn)
            return outcome

    async def _call(self, window: AlignedWindow) -> Judgement | TransientError:
        started_ns = self._clock.monotonic_ns()
        try:
            verdict = await self._scorer.score_window(window)
        except TransientError as error:
            self._failed(error, started_ns)
            return error
        except ContractViolation as refusal:
            self._answered(started_ns)
            return Judgement(reason=SCORING_REJECTED, refusal=refusal)
        self._answered(started_ns)
        self._metrics.scoring_seconds.observe(self._seconds_since(started_ns))
        self._metrics.member_disagreement.observe(verdict.disagreement)
        return Judgement(verdict, self._clock.now_ns())

    async def _gave_up_within(self, pause_s: float) -> bool:
        # Not wait_for: before Python 3.12 it may swallow a cancellation.
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._given_up.wait()
        return self._given_up.is_set()

    def _is_away(self, first_failure_ns: int) -> bool:
        """Whether nobody has had an answer for all of the patience, a failing window's at least."""
        silent_since_ns = max(first_failure_ns, self._last_answer_ns)
        return self._seconds_since(silent_since_ns) >= self._patience.outage_s

    def _give_up(self) -> None:
        if not self._given_up.is_set():
            self._given_up.set()
            _log.warning("scoring_given_up", patience_s=self._patience.outage_s)

    def _failed(self, error: TransientError, started_ns: int) -> None:
        # The call began before the last change, so it says nothing about the present.
        if started_ns < self._turned_ns:
            return
        self._failure = str(error)
        if not self._failing:
            self._failing, self._turned_ns = True, self._clock.monotonic_ns()
            _log.warning("triton_unreachable", error=str(error))

    def _answered(self, started_ns: int) -> None:
        self._last_answer_ns = self._clock.monotonic_ns()
        if self._failing and started_ns >= self._turned_ns:
            after_s = round(self._seconds_since(self._turned_ns), 3)
            self._failing, self._turned_ns = False, self._last_answer_ns
            _log.info("triton_recovered", after_s=after_s)

    def _is_overdue(self, window: AlignedWindow) -> bool:
        limit_s = self._patience.shed_after_s
        age_ns = self._clock.now_ns() - window.window_end_ns
        return limit_s is not None and age_ns > limit_s * NS_PER_S

    def _seconds_since(self, moment_ns: int) -> float:
        return (self._clock.monotonic_ns() - moment_ns) / NS_PER_S
