from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.join.rules import PUBLISHED_RULES
from meltwatch_producers.feeds import (
    JOIN_WAITS_NS,
    MeterFeed,
    meter_messages,
    next_message,
    sample_grid,
)
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator import Scenario, furnace_ids

from tests.support.builders import FURNACE, NOON_NS, identity

MS, S = 1_000_000, 1_000_000_000
HOP_NS = PUBLISHED_SPEC.hop_ns


class Clockwork:
    """A meter that shows the time of the sample, in half seconds of the day."""

    def currents(self, event_times_ns: Any) -> Any:
        shown = event_times_ns // (500 * MS) % 172_800
        return np.repeat(shown[:, None], 3, axis=1).astype(np.float32)


def feed(meter: Any = None) -> MeterFeed:
    return MeterFeed(identity(source_id="meter-1"), meter or Clockwork(), PUBLISHED_SPEC)


instants = st.integers(0, 2**61)


def test_the_join_waits_as_long_as_the_producers_think() -> None:
    assert PUBLISHED_RULES.current_bound_ns == JOIN_WAITS_NS


@given(instants, st.integers(0, 60 * S), st.sampled_from(furnace_ids(20)))
def test_each_window_has_one_message_whose_last_sample_alone_lets_it_close(
    start_ns: int, span_ns: int, name: str
) -> None:
    messages = meter_messages(PUBLISHED_SPEC, name, start_ns, start_ns + span_ns)
    for message in messages:
        closed_ns = PUBLISHED_SPEC.first_end_after(name, message[-1] - JOIN_WAITS_NS) - HOP_NS
        assert message[-2] < closed_ns + JOIN_WAITS_NS <= message[-1]
        assert start_ns < message[-1] <= start_ns + span_ns
        assert len(message) in (2, 3)
    assert abs(len(messages) - span_ns / HOP_NS) < 2


@given(instants, st.lists(st.integers(0, 5 * S), min_size=1, max_size=8))
def test_messages_follow_each_other_however_often_somebody_asks(
    start_ns: int, spans_ns: list[int]
) -> None:
    begins = [start_ns, *(start_ns + each for each in accumulate(spans_ns))]
    asked = [
        message
        for after_ns, until_ns in pairwise(begins)
        for message in meter_messages(PUBLISHED_SPEC, FURNACE, after_ns, until_ns)
    ]
    assert asked == meter_messages(PUBLISHED_SPEC, FURNACE, start_ns, begins[-1])
    times = [time_ns for message in asked for time_ns in message]
    assert all(later - sooner == 500 * MS for sooner, later in pairwise(times))


@given(instants)
def test_the_next_message_is_the_first_that_ends_later(start_ns: int) -> None:
    message = next_message(PUBLISHED_SPEC, FURNACE, start_ns)
    assert message[-1] > start_ns
    assert meter_messages(PUBLISHED_SPEC, FURNACE, start_ns, message[-1]) == [message]
    assert feed().next_due_ns(start_ns) == message[-1]


def test_two_samples_a_second_travel_a_message_a_window_without_gap() -> None:
    chunks = feed().due(NOON_NS, NOON_NS + 72 * S)
    times = np.concatenate([chunk.event_times_ns for chunk in chunks])

    assert len(chunks) == 50
    assert (np.diff(times) == 500 * MS).all()
    assert NOON_NS < chunks[0].last_event_ns <= NOON_NS + 1500 * MS


def test_a_span_shorter_than_a_message_may_hold_none() -> None:
    source = feed()
    due_ns = source.next_due_ns(NOON_NS)

    assert source.due(due_ns, due_ns + S - 1) == ()
    assert len(source.due(due_ns + S - 1, due_ns + 2 * S)) == 1


def test_numbers_go_on_by_one_a_sample_from_call_to_call() -> None:
    source = feed()
    chunks = [*source.due(NOON_NS, NOON_NS + 5 * S), *source.due(NOON_NS + 5 * S, NOON_NS + 9 * S)]

    counts = [len(chunk.data) for chunk in chunks]
    assert [chunk.identity.seq for chunk in chunks] == [0, *accumulate(counts)][:-1]


@given(st.lists(st.booleans(), min_size=40, max_size=40))
def test_where_the_meter_has_nothing_a_message_is_cut_and_loses_no_sample(
    is_there: list[bool],
) -> None:
    def has_currents(times_ns: Any) -> Any:
        return np.array([is_there[time_ns // (500 * MS) % 40] for time_ns in times_ns], dtype=bool)

    source = MeterFeed(identity(source_id="m"), Clockwork(), PUBLISHED_SPEC, has_currents)
    chunks = source.due(NOON_NS, NOON_NS + 20 * S)
    sent = [int(time_ns) for chunk in chunks for time_ns in chunk.event_times_ns]
    whole = [
        int(t) for chunk in feed().due(NOON_NS, NOON_NS + 20 * S) for t in chunk.event_times_ns
    ]
    assert sent == [time_ns for time_ns in whole if is_there[time_ns // (500 * MS) % 40]]


def test_the_samples_are_those_of_the_meter_at_their_times() -> None:
    for chunk in feed().due(NOON_NS, NOON_NS + 10 * S):
        expected = chunk.event_times_ns // (500 * MS) % 172_800
        assert (chunk.data == expected[:, None]).all()


def test_furnaces_are_out_of_step() -> None:
    phases = {sample_grid(PUBLISHED_SPEC, name).phase_ns for name in furnace_ids(20)}

    assert len(phases) == 20


def test_a_simulated_furnace_is_a_meter() -> None:
    scenario = Scenario(1, furnace_ids(1), NOON_NS, None)
    chunks = feed(scenario.furnace(furnace_ids(1)[0])).due(NOON_NS, NOON_NS + 3 * S)

    assert all(chunk.data.shape in ((2, 3), (3, 3)) for chunk in chunks)
