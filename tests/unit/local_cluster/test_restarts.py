from hypothesis import given
from hypothesis import strategies as st
from meltwatch_local_cluster.launch.service import (
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    STEADY_S,
    deaths_after,
    delay_s,
)


@given(st.integers(1, 10_000))
def test_each_death_in_a_row_waits_no_shorter_and_never_beyond_the_bound(deaths):
    assert FIRST_DELAY_S <= delay_s(deaths) <= delay_s(deaths + 1) <= LONGEST_DELAY_S


def test_the_pause_doubles_from_half_a_second_to_half_a_minute():
    assert [delay_s(deaths) for deaths in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


@given(st.integers(0, 100), st.floats(0, 1e6))
def test_a_steady_minute_begins_a_new_row(deaths, lived_s):
    expected = 1 if lived_s >= STEADY_S else deaths + 1
    assert deaths_after(deaths, lived_s) == expected
