"""Silence is told only up to the instant until which everything was read."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from meltwatch_alarm_manager.pipeline.reading_proof import ReadingProof
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.testing import ManualClock
from meltwatch_core.alarms.ports import Place

from tests.unit.core.alarms.topic_log import SCORES


class Broker:
    """How far scores go and how far they are read; may be away, or never answer."""

    def __init__(self) -> None:
        self.end = self.position = 0
        self.is_away = self.is_frozen = False

    async def ends(self) -> Mapping[Place, int]:
        if self.is_frozen:
            await asyncio.Event().wait()
        if self.is_away:
            raise TransientError("no leader")
        return {SCORES: self.end}

    async def has_read(self, ends: Mapping[Place, int]) -> bool:
        return self.position >= ends[SCORES]


async def look(proof: ReadingProof, clock: ManualClock) -> int | None:
    """A second passes; what does the next look say?"""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    clock.advance(1)
    return await proof.read_until()


async def test_an_answer_proves_the_instant_before_the_question_once_it_is_read() -> None:
    broker, clock = Broker(), ManualClock(1_000)
    async with ReadingProof(cast("Any", broker), clock) as proof:
        assert await proof.read_until() is None
        assert await look(proof, clock) == 1_000
        broker.end = 5
        assert [await look(proof, clock) for _ in range(3)] == [None] * 3
        broker.position = 5
        assert await look(proof, clock) == 1_001


async def test_without_an_answer_nothing_is_proven_and_nobody_waits() -> None:
    broker, clock = Broker(), ManualClock(1_000)
    async with ReadingProof(cast("Any", broker), clock) as proof:
        broker.is_away = True
        assert [await look(proof, clock) for _ in range(3)] == [None] * 3
        broker.is_away, broker.is_frozen = False, True
        assert [await look(proof, clock) for _ in range(3)] == [None] * 3
