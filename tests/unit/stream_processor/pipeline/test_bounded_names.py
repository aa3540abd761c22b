"""More names than may begin, one record each: little memory, few labels, neighbours as ever."""

import gc
import tracemalloc

import pytest
from meltwatch_core.join.synchrony import CAPACITY, CELL_NS, SignalTrace
from meltwatch_schemas.window import NS_PER_MS

from tests.support.input_records import ORIGIN_NS, InputRecord, frame_record, live, sample_record
from tests.unit.core.scoring.fakes import ENCODER, FakeScorer, until
from tests.unit.stream_processor.pipeline.fakes import Life, MemoryBroker, contents

LIMIT = 80
NAMES = 600
BYTES_A_NAME = 16 * 1024
"""Of one that is held: its buffers, its clock, what is known of its source."""


def strangers(count: int) -> list[InputRecord]:
    """One record of each: a frame, samples, or bytes that are none."""
    made = []
    for number in range(count):
        name, at_ns = f"flood/{number:05}", ORIGIN_NS + number * NS_PER_MS
        frame = frame_record(name, at_ns, encoder=ENCODER)
        broken = InputRecord(frame.topic, frame.key, b"none", frame.headers, frame.timestamp_ms)
        made.append((frame, sample_record(name, at_ns), broken)[number % 3])
    return made


def furnace_labels(life: Life) -> set[str]:
    return {
        sample.labels["furnace"]
        for family in life.shared.metrics.registry.collect()
        for sample in family.samples
        if "furnace" in sample.labels
    }


async def read(broker: MemoryBroker, *records: InputRecord) -> None:
    """Have a life read everything, and hold what it holds against the bounds."""
    broker.produce(*records)
    gc.collect()
    tracemalloc.start()
    try:
        async with Life(broker, FakeScorer(), max_furnaces=LIMIT) as life:
            await until(lambda: life._has_read_all() and life.shared.in_flight.count == 0, 250.0)
            life.engine._observe(life.engine._watermarks())
            gc.collect()
            held = tracemalloc.get_traced_memory()[0]
            letters = sum(len(raw.value or b"") + 4096 for raw in broker.letters())
            pipeline = life.engine._pipelines[0]
            assert pipeline._joiner is not None
            assert pipeline._joiner.furnaces <= LIMIT + 1
            assert held - letters < LIMIT * BYTES_A_NAME
            assert len(furnace_labels(life)) <= LIMIT + 2
            await life.engine.revoked()
            life.engine._observe(life.engine._watermarks())
            assert furnace_labels(life) <= {"other", "unknown"}
    finally:
        tracemalloc.stop()


async def test_many_names_with_one_record_each_cost_little() -> None:
    await read(MemoryBroker(), *strangers(NAMES))


async def test_a_furnace_of_the_plant_is_judged_as_without_them() -> None:
    own = live(["known/furnace"], 20.0, encoder=ENCODER)
    alone, crowd = MemoryBroker(), MemoryBroker()
    for broker, others in ((alone, []), (crowd, strangers(NAMES))):
        broker.produce(*others, *own)
        async with Life(broker, FakeScorer(), max_furnaces=LIMIT) as life:
            await until(lambda: life._has_read_all() and life.shared.in_flight.count == 0, 250.0)
    scores = [score for score in crowd.scores() if score.furnace_id == "known/furnace"]
    assert [s.window_end_ns for s in scores] == [s.window_end_ns for s in alone.scores()]
    inputs = 7
    assert [c[:inputs] for c in contents(scores).values()] == [
        c[:inputs] for c in contents(alone.scores()).values()
    ]


@pytest.mark.parametrize("events", [1, 16, 17, 100, CAPACITY, CAPACITY + 1, 3 * CAPACITY])
def test_a_signal_holds_what_it_has_heard_and_no_more_than_ten_minutes(events: int) -> None:
    trace = SignalTrace()
    for number in range(events):
        trace.add_value(number * CELL_NS, float(number))
    times_s, values = trace.since(0)
    newest = range(max(0, events - CAPACITY), events)
    assert values.tolist() == [float(number) for number in newest]
    assert times_s.tolist() == [number * CELL_NS / 1e9 for number in newest]
    assert trace.size_bytes <= 16 * min(max(2 * events, 16), CAPACITY)
