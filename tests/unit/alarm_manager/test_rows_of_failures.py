"""A row of failures is one line, however long each attempt takes; the next row is another."""

import asyncio

import pytest
from meltwatch_alarm_manager import app
from meltwatch_alarm_manager.vitals import PROJECTOR, ManagerVitals
from meltwatch_chassis.dependencies import Dependencies
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.metrics import Metrics
from structlog.testing import capture_logs

from tests.support.leaping_loop import LeapingLoop, leap


@pytest.mark.parametrize("attempt_s", [0.0, 1.0, 10.0, 60.0])
def test_a_row_of_failures_is_one_line(attempt_s: float) -> None:
    loop = LeapingLoop()

    async def run() -> None:
        metrics, outages = Metrics(), [True]
        vitals = ManagerVitals(loop, Dependencies(metrics, loop), metrics)

        async def attempt() -> None:
            await asyncio.sleep(attempt_s)
            while not outages[-1]:
                vitals.note_working(PROJECTOR)
                await asyncio.sleep(1.0)
            raise TransientError("no answer")

        persisting = asyncio.create_task(app._persist(PROJECTOR, attempt, vitals))
        for is_away in (False, True, False, True):
            await asyncio.sleep(600.0)
            outages.append(is_away)
        await asyncio.sleep(600.0)
        persisting.cancel()

    with capture_logs() as lines:
        leap(loop, run())
    assert [line["event"] for line in lines] == ["attempt_failed"] * 3
