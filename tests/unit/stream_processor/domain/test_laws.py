"""The laws of the window rule that need no oracle."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from meltwatch_stream_processor.domain import frames, samples
from meltwatch_stream_processor.domain.aligned_window import Outcome
from meltwatch_stream_processor.domain.partition import PartitionJoiner

from tests.support.oracle import CURRENT, VIDEO, Record, Window
from tests.unit.stream_processor.domain.sequences import (
    ENCODER,
    PUBLISHED,
    SMALL,
    chunk_of,
    examples,
    join,
    numbered,
    plant_sequences,
    rules_of,
    small_sequences,
    windows_of,
)

NO_CUTS = ((None, None), (None, None))


def contents(outcomes: list[Outcome]) -> list[Window]:
    """Windows without what depends on the order of records by definition."""
    return [
        replace(
            window,
            cuts=NO_CUTS,
            last_ingest=0,
            sources=(None, None),
            reasons=frozenset(word for word in window.reasons if "clock" not in word),
        )
        for window in windows_of(outcomes)
    ]


def nothing_late(outcomes: list[Outcome]) -> bool:
    return not any(outcome.late for outcome in outcomes)


def of_one_furnace(records: list[Record]) -> list[Record]:
    """The usual records of one furnace, no two with an instant in common."""
    seen: set[tuple[str, int]] = set()
    kept = []
    for record in records:
        instants = {(record.modality, time) for time in record.times}
        usual = record.furnace == "site/a" and record.source == "usual" and record.known_encoder
        if usual and not seen & instants:
            seen |= instants
            kept.append(record)
    return numbered(kept)


@examples(25)
@given(plant_sequences(), st.randoms(use_true_random=False))
def test_two_orders_within_the_bounds_give_the_same_windows(records, chance):
    records = of_one_furnace(records)
    bounds = {VIDEO: SMALL.video_bound, CURRENT: SMALL.current_bound}
    orders = []
    for _ in range(2):
        delays = {id(r): chance.uniform(0, bounds[r.modality]) for r in records}
        orders.append(numbered(sorted(records, key=lambda r: r.times[-1] + delays[id(r)])))
    first, second = (join(order, SMALL) for order in orders)
    assume(nothing_late(first) and nothing_late(second))
    assert contents(first) == contents(second)


@examples(25)
@given(plant_sequences(), st.data())
def test_altering_a_record_changes_no_window_before_it(records, data):
    assume(records)
    index = data.draw(st.integers(0, len(records) - 1))
    record = records[index]
    other = 500.0 if record.modality == VIDEO else (500.0, float("nan"), 501.0)
    altered = [*records]
    altered[index] = replace(record, values=(other,) * len(record.times))
    before = [window for window in windows_of(join(records, SMALL)) if window.end < record.times[0]]
    after = [window for window in windows_of(join(altered, SMALL)) if window.end < record.times[0]]
    assert before == after


@examples(25)
@given(small_sequences())
def test_every_window_number_is_published_once_or_skipped(records):
    records = numbered([replace(r, furnace="site/a", source="usual") for r in records])
    joiner = PartitionJoiner(7, ENCODER, rules_of(SMALL))
    outcomes = [joiner.hand_on(chunk_of(record), record.offset) for record in records]
    ends = [window.end for window in windows_of(outcomes)]
    assume(ends)
    assert ends == sorted(set(ends))
    last = SMALL.first_end_after("site/a", joiner.watermarks()["site/a"]) - SMALL.hop
    numbers = (last - ends[0]) // SMALL.hop + 1
    assert len(ends) + sum(outcome.skipped for outcome in outcomes) == numbers


def cut_into_chunks(events: list[Record], chance) -> list[Record]:
    """Chunks of one to three of a modality's successive events that keep its spacing."""
    chunks: list[Record] = []
    for modality in (VIDEO, CURRENT):
        own = [event for event in events if event.modality == modality]
        while own:
            size = chance.randint(1, 3)
            gaps = {b.times[0] - a.times[0] for a, b in pairwise(own[:size])}
            taken = own[: size if len(gaps) < 2 else 1]
            times = tuple(event.times[0] for event in taken)
            values = tuple(event.values[0] for event in taken)
            chunks.append(replace(taken[0], times=times, values=values))
            own = own[len(taken) :]
    return numbered(sorted(chunks, key=lambda chunk: (chunk.times[-1], chunk.modality == CURRENT)))


@examples(25)
@given(plant_sequences(), st.randoms(use_true_random=False))
def test_cutting_chunks_differently_changes_no_window(records, chance):
    events = sorted(
        (
            replace(record, times=(time,), values=(value,))
            for record in of_one_furnace(records)
            for time, value in zip(record.times, record.values, strict=True)
        ),
        key=lambda event: event.times,
    )
    first, second = (join(cut_into_chunks(events, chance), SMALL) for _ in range(2))
    assume(nothing_late(first) and nothing_late(second))
    assert contents(first) == contents(second)


def test_a_silence_of_a_year_costs_nothing_and_is_counted():
    year = 365 * 24 * 3600 * 10**9
    first = Record(VIDEO, 0, "site/a", "cam", (10**15,), (1.0,), 0)
    second = replace(first, offset=1, times=(10**15 + year,))
    outcome = join([first, second], PUBLISHED)[1]
    ends = [window.window_end_ns for window in outcome.windows]
    # The look-back of 120 s is 83.3 hops, and the watermark then stands at the second record.
    assert ends[-1] - ends[0] == 83 * PUBLISHED.hop or ends[-1] - ends[0] == 82 * PUBLISHED.hop
    watermark = 10**15 + year - PUBLISHED.video_bound - PUBLISHED.idle_gap
    last = PUBLISHED.first_end_after("site/a", watermark) - PUBLISHED.hop
    assert len(ends) + outcome.skipped == (last - ends[0]) // PUBLISHED.hop + 1


@examples(15)
@given(records=plant_sequences())
def test_forgetting_superseded_events_changes_no_window(records):
    expected = without_cuts(windows_of(join(records, SMALL)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "_MAX_EVENTS", 8)
        patch.setattr(frames, "_MAX_EVENTS", 4)
        assert without_cuts(windows_of(join(records, SMALL))) == expected


def without_cuts(windows: list[Window]) -> list[Window]:
    return [replace(window, cuts=NO_CUTS) for window in windows]


def test_the_memory_of_a_furnace_is_bounded_however_dense_its_events():
    """10 kHz currents and 1,000 frames a second at one furnace: far beyond any plant."""
    joiner = PartitionJoiner(7, ENCODER, rules_of(PUBLISHED))
    offsets = {VIDEO: 0, CURRENT: 0}
    largest = 0
    for step in range(150):
        start = 10**15 + step * 10**8
        for modality, period in ((VIDEO, 10**6), (CURRENT, 10**5)):
            for part in range(2):
                times = tuple(start + (part * 50 + index) * period for index in range(50))
                values = (1.0,) * 50 if modality == VIDEO else ((1.0, 2.0, 3.0),) * 50
                record = Record(modality, offsets[modality], "site/a", modality, times, values, 0)
                joiner.hand_on(chunk_of(record), record.offset)
                offsets[modality] += 1
        largest = max(largest, joiner.size_bytes)
    assert largest < 3_000_000
