"""What a grid point takes, of a meter that is asked and of one that tells."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, Grid
from meltwatch_sources.domain.reading import MeterReading
from meltwatch_sources.domain.sample_grid import (
    ALIVE_NS,
    FRESH_NS,
    HOLD_NS,
    IN_TIME_NS,
    PolledGrid,
    PushedGrid,
)
from meltwatch_sources.domain.source_time import DISAGREES_NS, DISTRUST_NS, SourceTime

START = 1_790_000_000 * NS_PER_S
GRID = Grid(START % (NS_PER_S // 2), NS_PER_S // 2)
MS = NS_PER_MS


def asked(point_ns, delay_ns=0, took_ns=MS, value=100.0, late_ns=0):
    """A meter's answer to a poll for a point."""
    asked_ns = point_ns + delay_ns + late_ns
    return MeterReading(np.full(3, value, np.float32), None, asked_ns, asked_ns + took_ns)


def told(arrival_ns, value, phases=(0, 1, 2), source_ns=None):
    """A value that came by itself."""
    return MeterReading(
        np.full(3, value, np.float32), source_ns, arrival_ns, arrival_ns, phases=phases
    )


def points(count, first_ns=START):
    return [first_ns + number * GRID.step_ns for number in range(count)]


class TestPolled:
    @given(
        st.lists(st.integers(0, 600 * MS), min_size=1, max_size=20),
        st.sampled_from([0, 250 * MS, NS_PER_S]),
    )
    def test_a_point_has_its_own_answer_if_that_came_in_time_else_nothing(self, took, delay_ns):
        grid = PolledGrid(GRID, delay_ns)
        for number, (point, each) in enumerate(zip(points(len(took)), took, strict=True)):
            grid.take(asked(point, delay_ns, each, value=float(number)))
        for number, (point, each) in enumerate(zip(points(len(took)), took, strict=True)):
            sample = grid.sample(point)
            expected = float(number) if each <= IN_TIME_NS else math.nan
            np.testing.assert_array_equal(sample, np.full(3, expected, np.float32))

    def test_a_point_that_nobody_answered_for_is_nothing_whatever_came_before(self):
        grid = PolledGrid(GRID)
        grid.take(asked(START))
        assert np.isnan(grid.sample(START + GRID.step_ns)).all()

    def test_asking_late_counts_as_answering_late(self):
        grid = PolledGrid(GRID)
        grid.take(asked(START, took_ns=100 * MS, late_ns=200 * MS))
        assert np.isnan(grid.sample(START)).all()

    def test_an_answer_before_its_question_is_of_a_clock_that_went_back(self):
        grid = PolledGrid(GRID)
        grid.take(asked(START, took_ns=-NS_PER_S))
        assert np.isnan(grid.sample(START)).all()

    def test_a_value_is_final_once_it_could_have_been_answered(self):
        assert PolledGrid(GRID, NS_PER_S).settle_ns() == NS_PER_S + IN_TIME_NS

    def test_the_error_is_how_far_behind_its_point_an_answer_came(self):
        grid = PolledGrid(GRID, 250 * MS)
        assert grid.error_ns() == IN_TIME_NS, "nothing is known yet"
        grid.take(asked(START, 250 * MS, took_ns=20 * MS, late_ns=10 * MS))
        assert grid.error_ns() == 30 * MS

    def test_what_waits_is_bounded(self):
        grid = PolledGrid(GRID)
        for point in points(10_000):
            grid.take(asked(point))
        assert np.isnan(grid.sample(START)).all()
        assert grid.sample(points(10_000)[-1])[0] == 100.0


class TestPushed:
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 4 * NS_PER_S),
                st.integers(0, 2),
                st.one_of(st.just(math.nan), st.floats(1, 100, width=32)),
            ),
            max_size=30,
        ),
        st.lists(st.integers(0, 8), min_size=1, max_size=8, unique=True),
    )
    def test_a_point_takes_the_newest_value_not_older_than_750_ms(self, values, numbers):
        """Against the rule itself, on everything that was told."""
        values = sorted(values)
        grid = PushedGrid(SourceTime(), hold_ns=0)
        for after_ns, phase, value in values:
            grid.take(told(START + after_ns, value, (phase,), source_ns=START + after_ns))
        for number in sorted(numbers):
            point_ns = number * GRID.step_ns
            sample = grid.sample(START + point_ns)
            for phase in range(3):
                past = [each for each in values if each[1] == phase and each[0] <= point_ns]
                is_fresh = past and point_ns - past[-1][0] <= FRESH_NS
                expected = past[-1][2] if is_fresh else math.nan
                np.testing.assert_equal(float(sample[phase]), expected)

    def test_a_steady_value_is_held_for_two_seconds_while_the_source_is_alive(self):
        grid = PushedGrid(SourceTime())
        grid.take(told(START, 7.0))
        for after_ns in range(0, 4 * NS_PER_S, GRID.step_ns):
            grid.take(told(START + after_ns, math.nan, phases=()))
            is_held = after_ns <= HOLD_NS
            assert (grid.sample(START + after_ns)[0] == 7.0) == is_held

    def test_a_value_of_a_dead_source_is_not_held(self):
        grid = PushedGrid(SourceTime(), hold_ns=10 * NS_PER_S)
        grid.take(told(START, 7.0))
        assert grid.sample(START + ALIVE_NS)[0] == 7.0
        assert np.isnan(grid.sample(START + ALIVE_NS + GRID.step_ns)).all()

    def test_a_bad_value_is_nothing_at_once_never_the_last_one(self):
        grid = PushedGrid(SourceTime())
        grid.take(told(START, 7.0))
        grid.take(told(START + 100 * MS, math.nan, phases=(1,)))
        np.testing.assert_array_equal(
            grid.sample(START + 500 * MS), np.array([7.0, np.nan, 7.0], np.float32)
        )

    def test_a_burst_after_a_pause_fills_the_points_of_the_pause(self):
        """As a server sends what it queued: in order, all at once."""
        grid = PushedGrid(SourceTime())
        times = points(5)
        for number, point in enumerate(times):
            grid.take(told(times[-1], float(number), source_ns=point))
        assert [grid.sample(point)[0] for point in times] == [0.0, 1.0, 2.0, 3.0, 4.0]

    def test_of_values_with_one_time_the_last_told_counts(self):
        grid = PushedGrid(SourceTime(trusts_source=False))
        for number in range(10):
            grid.take(told(START, float(number)))
        assert grid.sample(START)[0] == 9.0

    def test_a_point_waits_as_long_as_values_are_late(self):
        grid = PushedGrid(SourceTime())
        assert grid.settle_ns() == IN_TIME_NS
        grid.take(told(START + 1500 * MS, 1.0, source_ns=START))
        assert grid.settle_ns() == IN_TIME_NS + 1500 * MS
        assert grid.error_ns() >= 1500 * MS, "as far as the two clocks may be apart"

    @given(st.lists(st.integers(-3 * NS_PER_S, 3 * NS_PER_S), max_size=80))
    def test_a_point_never_waits_for_longer_than_the_bound_on_clocks(self, offsets):
        grid = PushedGrid(SourceTime(delay_ns=NS_PER_S))
        for number, offset_ns in enumerate(offsets):
            arrival_ns = START + number * 250 * MS
            grid.take(told(arrival_ns, 1.0, source_ns=arrival_ns + offset_ns))
            assert IN_TIME_NS <= grid.settle_ns() <= IN_TIME_NS + 3 * NS_PER_S


class TestSourceTime:
    def test_a_good_clock_is_used(self):
        time = SourceTime(delay_ns=MS)
        assert time.event_ns(START - 300 * MS, START) == START - 301 * MS
        assert not time.disagrees

    @pytest.mark.parametrize("hour", [3600 * NS_PER_S, -3600 * NS_PER_S])
    def test_a_clock_an_hour_off_is_named_and_the_values_are_used_by_arrival(self, hour):
        time = SourceTime()
        for after_ns in range(0, DISAGREES_NS + 1, 250 * MS):
            assert not time.disagrees
            arrival = START + after_ns
            assert time.event_ns(arrival + hour, arrival) == arrival
        assert time.disagrees
        assert time.offset_ns == hour
        time.event_ns(START, START)
        assert not time.disagrees, "it was put right"

    def test_values_that_were_held_up_on_the_way_are_no_fault_of_a_clock(self):
        time = SourceTime()
        for after_ns in range(0, 10 * NS_PER_S, 250 * MS):
            time.event_ns(START + after_ns, START + 20 * NS_PER_S)
        assert not time.disagrees

    def test_one_old_value_at_the_start_is_no_fault_of_a_clock(self):
        time = SourceTime()
        assert time.event_ns(START - 3600 * NS_PER_S, START) == START
        later = START + DISTRUST_NS
        assert time.event_ns(later - MS, later - 2 * MS) == later - 2 * MS, "not yet"
        assert time.event_ns(later - MS, later) == later - MS
        assert not time.disagrees

    def test_arrival_is_taken_where_the_plant_says_so_or_the_source_is_silent(self):
        assert SourceTime(trusts_source=False).event_ns(START - MS, START) == START
        assert SourceTime().event_ns(None, START) == START

    @given(st.lists(st.tuples(st.integers(0, 10**10), st.integers(-(10**10), 10**10))))
    def test_an_event_is_never_stamped_more_than_two_seconds_from_its_arrival(self, values):
        time = SourceTime()
        for after_ns, offset_ns in values:
            arrival = START + after_ns
            assert abs(time.event_ns(arrival + offset_ns, arrival) - arrival) <= 2 * NS_PER_S
