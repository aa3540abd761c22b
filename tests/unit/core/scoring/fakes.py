"""An ensemble in memory, and who it says it is."""

import asyncio
from collections.abc import Callable

import numpy as np
from meltwatch_core.join.topics import TopicNames
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.ports import EnsembleIdentity, Verdict
from meltwatch_schemas.encoder import Encoder, dct_basis
from meltwatch_schemas.score import ModelIdentity

ENCODER = Encoder("dct", dct_basis(3))
"""Three rows make small records; nothing here depends on the number."""
IDENTITY = EnsembleIdentity(ModelIdentity("fmformer", "1", "d" * 64), ENCODER.encoder_id)
TOPICS = TopicNames("meltwatch")


async def until(condition: Callable[[], object], limit_s: float = 90.0) -> None:
    """Wait for a condition that nobody announces."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - what is watched has no event of its own
            await asyncio.sleep(0.002)


class FakeScorer:
    """Answers from the window alone; ``attempt`` may delay or refuse it first."""

    def __init__(self) -> None:
        self.identity = IDENTITY
        self.outage: str | None = None
        self.calls: list[AlignedWindow] = []
        self.attempt: Callable[[AlignedWindow], object] = lambda _: None

    async def identify(self) -> EnsembleIdentity:
        return self.identity

    async def score_window(self, window: AlignedWindow) -> Verdict:
        self.calls.append(window)
        outcome = self.attempt(window)
        if asyncio.iscoroutine(outcome):
            await outcome
        logit = float(window.window_end_ns % 7) - 3.0
        return Verdict(logit, (logit - 1, logit + 1), 1.0, np.full((64, 64), 0.5, np.float32))

    async def watch(self) -> None:
        await asyncio.Event().wait()
