"""A scorer that is slow is said to be slow: once, and once that it is over."""

from contextlib import ExitStack

import pytest
from meltwatch_chassis.testing import ManualClock
from meltwatch_core.scoring.lag import ScoringLag
from meltwatch_schemas.window import NS_PER_S
from structlog.testing import capture_logs

LIMIT_S = 10.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def looks(lag: ScoringLag, clock: ManualClock, seconds: int) -> list[str]:
    """Look once a second; return what was said."""
    with capture_logs() as lines:
        for _ in range(seconds):
            clock.advance(NS_PER_S)
            lag.look()
    return [str(line["event"]) for line in lines]


def test_windows_that_are_judged_in_time_are_not_worth_a_word(clock: ManualClock):
    lag = ScoringLag(LIMIT_S, clock)
    for _ in range(10):
        with lag.waiting("a"):
            assert looks(lag, clock, 9) == []


def test_a_lag_is_said_once_with_the_oldest_and_once_when_it_is_over(clock: ManualClock):
    lag = ScoringLag(LIMIT_S, clock)
    with lag.waiting("old"):
        clock.advance(5 * NS_PER_S)
        with lag.waiting("young"), capture_logs() as lines:
            clock.advance(6 * NS_PER_S)
            lag.look()
        assert looks(lag, clock, 20) == []
    (line,) = lines
    assert (line["event"], line["furnace"], line["age_s"], line["waiting"]) == (
        "scoring_lag", "old", 11.0, 2,
    )  # fmt: skip
    assert looks(lag, clock, 2) == ["scoring_lag_over"]


def test_an_age_around_the_limit_does_not_chatter(clock: ManualClock):
    lag, said = ScoringLag(LIMIT_S, clock), []
    windows = ExitStack()
    for _ in range(20):
        fresh = ExitStack()
        fresh.enter_context(lag.waiting("a"))
        said += looks(lag, clock, 6)
        windows.close()
        said += looks(lag, clock, 5)
        windows = fresh
    assert said == ["scoring_lag"]
