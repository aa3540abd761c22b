"""A meter's samples as messages: at each point of the grid, whatever the meter does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.testing import ManualClock
from meltwatch_producers.feeds import sample_grid
from meltwatch_producers.publication import unsent
from meltwatch_schemas.chunk import Modality
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC
from meltwatch_source_producer.live_meters import LiveMeterFeed
from meltwatch_sources.domain.reading import MeterReading
from meltwatch_sources.plant import CurrentSource
from meltwatch_sources.supervisor import LiveSource, SourceName

from tests.support.whole_currents import assert_whole

FURNACE = "plant/area/F-1"
START = 1_790_000_000 * NS_PER_S
MODBUS = {"address": "modbus+tcp://meter", "registers": {"first": 1}}
OPC_UA = {"address": "opc.tcp://plc", "nodes": ("nsu=u;s=a", "nsu=u;s=b", "nsu=u;s=c")}


class Bench:
    """A feed, and a clock that moves when told."""

    def __init__(self, **told: object) -> None:
        self.clock = ManualClock(START)
        self.metrics = Metrics()
        source = CurrentSource.model_validate({"source_id": "m", **(told or MODBUS)})
        identity = unsent(FURNACE, "m", "0" * 16)
        name = SourceName(FURNACE, Modality.CURRENT, "m", source.address)
        self.live = LiveSource(name, self.clock, self.metrics)
        self.feed = LiveMeterFeed(identity, source, self.live, self.clock, self.metrics)
        self.grid = sample_grid(PUBLISHED_SPEC, FURNACE)

    def go(self, seconds: float, answers: float | None = None) -> list[CurrentChunk]:
        """Let time pass; a meter that answers does so at each point."""
        chunks: list[CurrentChunk] = []
        end_ns = self.clock.time_ns + round(seconds * NS_PER_S)
        while (point := self.grid.first_after(self.clock.time_ns)) <= end_ns:
            self.clock.time_ns = point
            if answers is not None:
                values = np.full(3, answers, np.float32)
                self.feed.take(MeterReading(values, None, point, point + NS_PER_MS))
            chunks += self.feed.due()
        self.clock.time_ns = end_ns
        return chunks + list(self.feed.due())

    def counted(self, outcome: str) -> float:
        """How many samples had an outcome."""
        labels = {"furnace": FURNACE, "outcome": outcome}
        found = self.metrics.registry.get_sample_value("meltwatch_source_readings_total", labels)
        return found or 0.0


def samples(chunks: list[CurrentChunk]) -> np.ndarray:
    return np.concatenate([chunk.data for chunk in chunks])


@given(st.lists(st.tuples(st.floats(0.5, 20), st.one_of(st.none(), st.just(7.0))), max_size=6))
def test_no_point_is_missing_and_none_is_made_up(stretches: list[tuple[float, float | None]]):
    bench = Bench()
    chunks = [chunk for stretch in [(3.0, 7.0), *stretches] for chunk in bench.go(*stretch)]

    assert_whole(chunks)
    shown = samples(chunks)
    assert ((shown == 7.0) | np.isnan(shown)).all()
    assert bench.counted("good") + bench.counted("none") == len(shown)
    for chunk in chunks:
        assert chunk.first_event_ns > START, "nothing of before it was opened"


def test_a_meter_that_goes_away_is_nan_from_the_next_point_on():
    bench = Bench()
    before, after = samples(bench.go(10, 7.0)), samples(bench.go(10))

    assert (before[2:] == 7.0).all()
    assert np.isnan(after[2:]).all()
    assert 18 <= len(after) <= 22


def test_a_meter_that_comes_back_is_heard_from_the_next_point_on():
    bench = Bench()
    bench.go(10)
    assert (samples(bench.go(10, 7.0))[2:] == 7.0).all()


@pytest.mark.parametrize("hours", [1, 50_000])
def test_a_clock_that_was_put_right_does_not_fill_years_with_nothing(hours: int):
    bench = Bench()
    bench.go(5, 7.0)
    bench.clock.advance(hours * 3600 * NS_PER_S)
    chunks = list(bench.feed.due())

    assert len(chunks) <= 901
    assert bench.clock.time_ns - chunks[-1].last_event_ns < 3 * NS_PER_S
    assert np.isnan(samples(chunks)).all()


def test_a_clock_that_was_set_back_is_followed():
    bench = Bench()
    bench.go(5, 7.0)
    bench.clock.advance(-3600 * NS_PER_S)
    back = bench.clock.time_ns
    chunks = bench.go(10, 7.0)

    assert (samples(chunks)[2:] == 7.0).all()
    assert all(abs(chunk.last_event_ns - back) < 15 * NS_PER_S for chunk in chunks)


def test_sync_says_that_the_delay_of_a_meter_is_not_known():
    known, unknown = Bench(**MODBUS, meter_delay_s=0.25), Bench()
    errors = [bench.go(5)[-1].identity.sync for bench in (known, unknown)]

    assert all(errors)
    assert errors[1].max_error_ns - errors[0].max_error_ns >= 0.7 * NS_PER_S


def test_a_clock_an_hour_off_is_shown_and_its_values_are_used_by_arrival():
    bench = Bench(**OPC_UA)
    chunks = []
    for _ in range(40):
        bench.clock.advance(250 * NS_PER_MS)
        now = bench.clock.time_ns
        values = np.full(3, 7.0, np.float32)
        bench.feed.take(MeterReading(values, now + 3600 * NS_PER_S, now, now))
        chunks += bench.feed.due()

    assert (samples(chunks)[2:] == 7.0).all()
    labels = {"furnace": FURNACE, "modality": "current"}
    offset = bench.metrics.registry.get_sample_value(
        "meltwatch_source_clock_offset_seconds", labels
    )
    assert offset == pytest.approx(3600)
