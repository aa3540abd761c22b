"""The laws of the window rule that need no oracle."""

import random
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from meltwatch_core.join import frames, samples
from meltwatch_core.join.event_time import EventTimeJoiner
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.window import Outcome

from tests.support.examples import examples
from tests.support.oracle import Record, Step, Window
from tests.support.rule_numbers import CURRENT, VIDEO, Numbers
from tests.unit.core.join.sequences import (
    ENCODER,
    PUBLISHED,
    SMALL,
    at_once,
    chunk_of,
    join,
    numbered,
    plant_sequences,
    plant_steps,
    rules_of,
    silence_after,
    small_steps,
    take,
    windows_of,
)

NO_CUTS = ((None, None), (None, None))


def joined(records: Iterable[Record], numbers: Numbers = SMALL) -> list[Outcome]:
    """What the records lead to that are handed on at once, and the silence after them."""
    steps = at_once(records)
    return join([*steps, silence_after(steps, numbers)], numbers)


def contents(outcomes: list[Outcome]) -> list[Window]:
    """Windows without what depends on the order of records by definition."""
    return [
        replace(
            window,
            cuts=NO_CUTS,
            last_ingest=0,
            sources=(None, None),
            frames=tuple((0, time) for _, time in window.frames),
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
    first, second = (joined(order) for order in orders)
    assume(nothing_late(first) and nothing_late(second))
    assert contents(first) == contents(second)


@examples(25)
@given(plant_steps(), st.data())
def test_altering_a_record_changes_no_window_before_it(steps, data):
    indices = [index for index, step in enumerate(steps) if step.record]
    assume(indices)
    index = data.draw(st.sampled_from(indices))
    record = steps[index].record
    other = 500.0 if record.modality == VIDEO else (500.0, float("nan"), 501.0)
    altered = [*steps]
    altered[index] = replace(
        steps[index], record=replace(record, values=(other,) * len(record.times))
    )
    before, after = (
        [window for window in windows_of(join(each, SMALL)) if window.end < record.times[0]]
        for each in (steps, altered)
    )
    assert before == after


@examples(25)
@given(small_steps())
def test_every_window_number_is_published_once_or_skipped(steps):
    steps = [step if step.record is None else only_one_furnace(step) for step in steps]
    outcomes = join([*steps, silence_after(steps, SMALL)], SMALL)
    ends = [window.end for window in windows_of(outcomes)]
    assume(ends)
    assert ends == sorted(set(ends))
    numbers = (ends[-1] - ends[0]) // SMALL.hop + 1
    assert len(ends) + sum(outcome.skipped for outcome in outcomes) == numbers


def only_one_furnace(step: Step) -> Step:
    return replace(step, record=replace(step.record, furnace="site/a", source="usual"))


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


def events_of(records: Iterable[Record]) -> list[Record]:
    """One furnace's frames and samples, each a record of its own, in order of event time."""
    return sorted(
        (
            replace(record, times=(time,), values=(value,))
            for record in of_one_furnace(records)
            for time, value in zip(record.times, record.values, strict=True)
        ),
        key=lambda event: event.times,
    )


@examples(25)
@given(plant_sequences(), st.randoms(use_true_random=False))
def test_cutting_chunks_differently_changes_no_window(records, chance):
    events = events_of(records)
    first, second = (joined(cut_into_chunks(events, chance)) for _ in range(2))
    assume(nothing_late(first) and nothing_late(second))
    assert contents(first) == contents(second)


@examples(25)
@given(plant_sequences(), st.integers(0, 2**32))
def test_by_event_time_chunks_of_any_cut_give_what_live_gave(records, seed):
    chunks = cut_into_chunks(events_of(records), random.Random(seed))
    live = join(at_once(chunks), SMALL)
    assume(nothing_late(live))
    joiner = EventTimeJoiner(7, ENCODER, rules_of(SMALL))
    replayed = [joiner.admit(chunk_of(record), record.offset) for record in chunks]
    # Live goes by the reader's clock here, which stands.
    assume(not any(outcome.retired for outcome in replayed))
    assert contents(replayed) == contents(live)


def test_a_silence_of_a_year_costs_nothing_and_is_counted():
    year = 365 * 24 * 3600 * 10**9
    first = Record(VIDEO, 0, "site/a", "cam", (10**15,), (1.0,), 0)
    second = replace(first, offset=1, times=(10**15 + year,))
    outcome = joined([first, second], PUBLISHED)[-1]
    ends = [window.window_end_ns for window in outcome.windows]
    # The look-back of 120 s is 83.3 hops, behind either record.
    assert len(ends) in (166, 167, 168)
    assert ends[-1] < 10**15 + year + PUBLISHED.lookback <= ends[-1] + PUBLISHED.hop
    assert len(ends) + outcome.skipped == (ends[-1] - ends[0]) // PUBLISHED.hop + 1


@examples(15)
@given(records=plant_sequences())
def test_forgetting_superseded_events_changes_no_window(records):
    expected = without_cuts(windows_of(joined(records)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "_MAX_SAMPLES", 8)
        patch.setattr(frames, "_MAX_FRAMES", 4)
        assert without_cuts(windows_of(joined(records))) == expected


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
                take(joiner, Step(step, {}, record))
                offsets[modality] += 1
        largest = max(largest, joiner.size_bytes)
    assert largest < 3_000_000
