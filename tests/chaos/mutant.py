"""A worker with one rule of delivery broken, to see that the campaigns would notice.

``python -m tests.chaos.mutant NAME`` is ``python -m meltwatch_stream_processor`` but for one
method, replaced from outside: the product has no switch for it.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from runpy import run_module
from typing import Any, Final

from meltwatch_schemas.score import Modality
from meltwatch_stream_processor.domain.aligned_window import AlignedWindow, Outcome
from meltwatch_stream_processor.domain.partition import PartitionJoiner
from meltwatch_stream_processor.domain.restore import Resumption, ScoresTail
from meltwatch_stream_processor.pipeline.publication import Closing, Publication

from tests.integration.stream_processor.worker import SERVICE


def acknowledge_early() -> None:
    """Acknowledge what was handed on, whatever windows to come may need."""

    def acknowledgeable(self: PartitionJoiner) -> dict[Modality, int]:
        return {modality: self._positions[modality] for modality in self._starts}

    PartitionJoiner.acknowledgeable = acknowledgeable  # type: ignore[method-assign]


def forget_the_cut() -> None:
    """Restore nothing of what the tail of scores says."""

    def resumption(self: ScoresTail, positions: Mapping[Modality, int]) -> Resumption:
        return Resumption(dict(positions), {})

    ScoresTail.resumption = resumption  # type: ignore[method-assign]


def publish_out_of_order() -> None:
    """Publish a window without waiting for the one before it."""

    async def carry(
        self: Publication,
        window: AlignedWindow,
        closing: Closing,
        previous: asyncio.Task[None] | None,
    ) -> None:
        await self._publish(window, await self._judge(window), closing)

    Publication._carry = carry  # type: ignore[method-assign]
    # Acknowledgement insists on the order: without this the defect would end the process at once.
    PartitionJoiner.published = lambda *_: None  # type: ignore[method-assign]


def reread_is_late() -> None:
    """Take what is read again for what comes too late."""
    hand_on_history = PartitionJoiner._hand_on_history

    def late(self: PartitionJoiner, *record: Any) -> Outcome:
        outcome = hand_on_history(self, *record)
        return Outcome(late=True, windows=outcome.windows, skipped=outcome.skipped)

    PartitionJoiner._hand_on_history = late  # type: ignore[method-assign]


MUTANTS: Final[Mapping[str, Callable[[], None]]] = {
    mutate.__name__: mutate
    for mutate in (acknowledge_early, forget_the_cut, publish_out_of_order, reread_is_late)
}

if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    run_module(SERVICE, run_name="__main__")
