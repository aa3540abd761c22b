"""Asks the ensemble about each window again, several at a time, answers in order."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_core.scoring.judge import MODEL_UNAVAILABLE, Judge, Judgement
from meltwatch_core.scoring.scores import Beside, ScoreContext, make_score
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.window import NS_PER_S

from meltwatch_backtester.pipeline.replayed import Replayed
from meltwatch_backtester.pipeline.replayed_novelty import ReplayedNovelty

LIVE_DELAY_NS: Final = 2 * NS_PER_S
"""When a window that live did not publish would have been: about what live takes."""
_AT_ONCE: Final = 16
"""Windows that are joined ahead in a thread, and as many that wait for verdicts."""


class Rescoring:
    """Turns replayed windows into scores, under a virtual clock.

    The clock shows live's time: that of the moments in its score of the window.

    Parameters
    ----------
    judge
        Asks the ensemble, with the patience that live has.
    context
        What all scores have in common.
    run_id
        Stamped into every score.
    novelty
        Compares each window with a portrait, in order.
    """

    def __init__(
        self, judge: Judge, context: ScoreContext, run_id: str, novelty: ReplayedNovelty
    ) -> None:
        self._judge = judge
        self._context = context
        self._run_id = run_id
        self._novelty = novelty

    async def scores(
        self, windows: Iterator[Replayed]
    ) -> AsyncGenerator[tuple[Replayed, WindowScore | None], None]:
        """Yield each window number with its new score, in order; None without a window.

        Raises
        ------
        DependencyUnreachable
            If no model answers for longer than live would wait.
        """
        under_way: deque[tuple[Replayed, asyncio.Task[Judgement]]] = deque()
        try:
            while batch := await asyncio.to_thread(lambda: list(islice(windows, _AT_ONCE))):
                under_way.extend((each, asyncio.create_task(self._judged(each))) for each in batch)
                while len(under_way) > _AT_ONCE:
                    replayed, task = under_way.popleft()
                    yield replayed, self._score(replayed, await task)
            while under_way:
                replayed, task = under_way.popleft()
                yield replayed, self._score(replayed, await task)
        finally:
            for _, task in under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)

    async def _judged(self, replayed: Replayed) -> Judgement:
        if replayed.window is None:
            return Judgement()
        judgement = await self._judge.judge(replayed.window)
        if judgement.reason == MODEL_UNAVAILABLE:
            raise DependencyUnreachable(f"expected verdicts, {self._judge.outage}")
        return judgement

    def _score(self, replayed: Replayed, judgement: Judgement) -> WindowScore | None:
        """Return the score of a window, or None without one; windows come in order."""
        window, live = replayed.window, replayed.live
        if window is None:
            self._novelty.pass_over(live)
            return None
        published_ns = joined_ns = window.window_end_ns + LIVE_DELAY_NS
        scored_ns = published_ns
        if live is not None:
            joined_ns, published_ns = live.times.joined_ns, live.times.published_ns
            scored_ns = live.times.scored_ns or published_ns
        logit = judgement.verdict.logit if judgement.verdict else None
        novelty, ageing = self._novelty.take(window, live, logit)
        score = make_score(
            window,
            _at(judgement, scored_ns),
            self._context,
            joined_ns,
            published_ns,
            Beside((*replayed.words, *ageing), novelty=novelty),
        )
        return replace(score, run_id=self._run_id)


def _at(judgement: Judgement, scored_ns: int) -> Judgement:
    return judgement if judgement.verdict is None else replace(judgement, scored_ns=scored_ns)
