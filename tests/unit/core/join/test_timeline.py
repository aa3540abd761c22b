"""A timeline against a plain list of its events, whatever comes late and whatever is forgotten."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.join.timeline import Timeline

from tests.support.examples import examples

Event = tuple[int, int]
TIMES = st.sets(st.integers(0, 60), max_size=5).map(sorted)
STEPS = st.lists(st.tuples(TIMES, st.integers(0, 60) | st.none()), max_size=25)


def lowest(events: list[Event]) -> int | None:
    return min((offset for _, offset in events), default=None)


def check(timeline: Timeline, events: list[Event], since: int, until: int) -> None:
    assert timeline.times_ns.tolist() == [time for time, _ in events]
    assert timeline.values.tolist() == [[time, offset] for time, offset in events]
    assert len(timeline) == len(events)
    before = [time for time, _ in events if time <= since]
    after = [time for time, _ in events if time > since]
    assert timeline.newest_until(since) == max(before, default=None)
    assert timeline.earliest_after(since) == min(after, default=None)
    assert timeline.size_bytes_after(since) == len(after) * 24
    assert timeline.lowest_offset() == lowest(events)
    assert timeline.lowest_offset(since, until) == lowest(
        [e for e in events if since < e[0] <= until]
    )


@examples(60)
@given(STEPS, st.integers(-1, 61), st.integers(-1, 61))
def test_a_timeline_is_a_sorted_list_of_which_the_first_at_an_instant_counts(
    steps: list[tuple[list[int], int | None]], since: int, until: int
) -> None:
    timeline, events = Timeline(2), list[Event]()
    for offset, (times, forgotten) in enumerate(steps):
        held = {time for time, _ in events}
        new = timeline.add_events(
            times, offset, np.array([(t, offset) for t in times]).reshape(-1, 2)
        )
        expected = [time not in held for time in times]
        assert all(expected) if new is None else new.tolist() == expected
        events = sorted([*events, *((time, offset) for time in times if time not in held)])
        if forgotten is not None:
            timeline.forget_until(forgotten)
            events = [event for event in events if event[0] > forgotten]
        check(timeline, events, since, until)


def test_room_is_given_back_when_little_is_held() -> None:
    timeline = Timeline()
    for offset in range(10_000):
        timeline.add_events([offset], offset, np.empty((1, 0)))
        timeline.forget_until(offset - 10)
    assert timeline.size_bytes < 1_000
