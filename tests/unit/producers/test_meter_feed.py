from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_producers.feeds import MeterFeed, message_grid, sample_times_ns
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator import Scenario, furnace_ids

from tests.support.builders import FURNACE, NOON_NS, identity

MS, S = 1_000_000, 1_000_000_000


class Clockwork:
    """A meter that shows the time of the sample, in half seconds of the day."""

    def currents(self, event_times_ns: Any) -> Any:
        shown = event_times_ns // (500 * MS) % 172_800
        return np.repeat(shown[:, None], 3, axis=1).astype(np.float32)


def feed(meter: Any = None) -> MeterFeed:
    return MeterFeed(identity(source_id="meter-1"), meter or Clockwork(), PUBLISHED_SPEC)


@given(st.integers(0, 2**61), st.integers(0, 50))
def test_each_message_ends_with_its_due_sample(start_ns: int, count: int) -> None:
    due = range(start_ns, start_ns + count * S, S)
    times = sample_times_ns(PUBLISHED_SPEC, due)

    assert times.shape == (count, 2)
    assert times[:, 1].tolist() == list(due)
    assert (np.diff(times, axis=1) == 500 * MS).all()


def test_two_samples_a_second_travel_two_a_message_without_gap() -> None:
    chunks = feed().due(NOON_NS, NOON_NS + 60 * S)
    times = np.concatenate([chunk.event_times_ns for chunk in chunks])

    assert len(chunks) == 60
    assert (np.diff(times) == 500 * MS).all()
    assert NOON_NS < chunks[0].last_event_ns <= NOON_NS + S


def test_a_span_shorter_than_a_message_may_hold_none() -> None:
    source = feed()
    due_ns = source.next_due_ns(NOON_NS)

    assert source.due(due_ns, due_ns + S - 1) == ()
    assert len(source.due(due_ns + S - 1, due_ns + S)) == 1


def test_numbers_go_on_by_one_a_sample_from_call_to_call() -> None:
    source = feed()
    chunks = [*source.due(NOON_NS, NOON_NS + 5 * S), *source.due(NOON_NS + 5 * S, NOON_NS + 9 * S)]

    assert [chunk.identity.seq for chunk in chunks] == list(range(0, 18, 2))


def test_the_samples_are_those_of_the_meter_at_their_times() -> None:
    for chunk in feed().due(NOON_NS, NOON_NS + 10 * S):
        expected = chunk.event_times_ns // (500 * MS) % 172_800
        assert (chunk.data == expected[:, None]).all()


def test_furnaces_are_out_of_step() -> None:
    phases = {message_grid(PUBLISHED_SPEC, name).phase_ns for name in furnace_ids(20)}

    assert len(phases) == 20
    assert feed().next_due_ns(NOON_NS) % S == message_grid(PUBLISHED_SPEC, FURNACE).phase_ns


def test_a_simulated_furnace_is_a_meter() -> None:
    scenario = Scenario(1, furnace_ids(1), NOON_NS, None)
    chunks = feed(scenario.furnace(furnace_ids(1)[0])).due(NOON_NS, NOON_NS + 3 * S)

    assert all(chunk.data.shape == (2, 3) for chunk in chunks)
