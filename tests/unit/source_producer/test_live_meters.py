"""Meters end with their process, whatever their libraries make of it."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import pytest
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.testing import ManualClock
from meltwatch_schemas.window import NS_PER_S
from meltwatch_source_producer import live_meters as module
from meltwatch_source_producer.live import Outlet
from meltwatch_source_producer.live_meters import live_meters
from meltwatch_sources.domain.reading import MeterReading, nothing
from meltwatch_sources.plant import CurrentSource, PlannedSource, PlantSources

NOW = 1_790_000_000 * NS_PER_S


class SwallowingMeter:
    """Answers all the same when it is cancelled, as a call does whose answer comes just then."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    async def readings(self, stop: asyncio.Event) -> AsyncGenerator[MeterReading, None]:
        while not stop.is_set():
            self.asked.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            yield MeterReading(nothing(), None, NOW, NOW)


def test_a_library_that_swallows_the_end_keeps_no_process_alive(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    meter = SwallowingMeter()
    monkeypatch.setattr(module, "open_meter", lambda *_: meter)
    source = CurrentSource.model_validate(
        {"source_id": "m", "address": "modbus+tcp://meter", "registers": {"first": 1}}
    )
    planned = PlannedSource("plant/area/F-1", source)
    plant = PlantSources(tmp_path, tmp_path, (), (planned,))
    outlet = Outlet(None, "currents", None, ManualClock(NOW))  # type: ignore[arg-type]  # none is due
    with live_meters(plant, outlet, Metrics()):
        assert meter.asked.wait(30)
    assert not [thread for thread in threading.enumerate() if thread.name == "meters"]
