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
    """

    def __init__(self, judge: Judge, context: ScoreContext, run_id: str) -> None:
        self._judge = judge
        self._context = context
        self._run_id = run_id

    async def scores(
        self, windows: Iterator[Replayed]
    ) -> AsyncGenerator[tuple[Replayed, WindowScore | None], None]:
        """Yield each window number with its new score, in order; None without a window.

        Raises
        ------
        DependencyUnreachable
            If no model answers for longer than live would wait.
        """
        under_way: deque[tuple[Replayed, asyncio.Task[WindowScore | None]]] = deque()
        try:
            while batch := await asyncio.to_thread(lambda: list(islice(windows, _AT_ONCE))):
                under_way.extend((each, asyncio.create_task(self._score(each))) for each in batch)
                while len(under_way) > _AT_ONCE:
                    replayed, task = under_way.popleft()
                    yield replayed, await task
            while under_way:
                replayed, task = under_way.popleft()
                yield replayed, await task
        finally:
            for _, task in under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)

    async def _score(self, replayed: Replayed) -> WindowScore | None:
        window = replayed.window
        if window is None:
            return None
        judgement = await self._judge.judge(window)
        if judgement.reason == MODEL_UNAVAILABLE:
            raise DependencyUnreachable(f"expected verdicts, {self._judge.outage}")
        published_ns = joined_ns = window.window_end_ns + LIVE_DELAY_NS
        scored_ns, novelty = published_ns, None
        if replayed.live is not None:
            times, novelty = replayed.live.times, replayed.live.novelty
            joined_ns, published_ns = times.joined_ns, times.published_ns
            scored_ns = times.scored_ns or published_ns
        score = make_score(
            window,
            _at(judgement, scored_ns),
            self._context,
            joined_ns,
            published_ns,
            # The portrait that live compared with may not stand any more.
            Beside(replayed.words, novelty=novelty),
        )
        return replace(score, run_id=self._run_id)


def _at(judgement: Judgement, scored_ns: int) -> Judgement:
    return judgement if judgement.verdict is None else replace(judgement, scored_ns=scored_ns)
