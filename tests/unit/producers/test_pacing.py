from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_producers.pacing import Pace, simulated_run
from meltwatch_producers.settings import Settings

S = 1_000_000_000
NOW_NS = 1_750_000_000 * S
SPEEDS = st.floats(1, 1000)
SPANS = st.integers(0, 10**6 * S)


def settings(**changes: float) -> Settings:
    return Settings.model_validate({f"simulator_{name}": value for name, value in changes.items()})


@given(SPANS)
def test_in_real_time_the_event_time_is_the_wall_clock(elapsed_ns: int) -> None:
    run = simulated_run(settings(), NOW_NS)

    assert run.origin_ns == NOW_NS
    assert run.end_ns is None
    assert run.pace.event_time_ns(NOW_NS + elapsed_ns) == NOW_NS + elapsed_ns


@given(SPEEDS, st.floats(1, 86_400), SPANS)
def test_event_time_never_passes_the_wall_clock(
    speed: float, duration_s: float, elapsed_ns: int
) -> None:
    run = simulated_run(settings(speed=speed, duration_s=duration_s), NOW_NS)

    assert run.pace.event_time_ns(NOW_NS + elapsed_ns) <= NOW_NS + elapsed_ns


@given(SPEEDS, st.floats(1, 86_400))
def test_a_faster_run_reaches_the_wall_clock_when_it_ends(speed: float, duration_s: float) -> None:
    run = simulated_run(settings(speed=speed, duration_s=duration_s), NOW_NS)
    wall_end_ns = NOW_NS + int(duration_s / speed * S)

    assert run.end_ns == pytest.approx(wall_end_ns, abs=1e6 * speed)
    assert run.pace.event_time_ns(NOW_NS) == pytest.approx(run.origin_ns, abs=1)


def test_a_given_origin_does_not_move_real_time() -> None:
    run = simulated_run(settings(origin_ns=NOW_NS + 5 * S, duration_s=60), NOW_NS)

    assert (run.origin_ns, run.end_ns) == (NOW_NS + 5 * S, NOW_NS + 65 * S)
    assert run.pace.event_time_ns(NOW_NS) == NOW_NS


def test_ten_times_as_fast_is_ten_seconds_a_second() -> None:
    pace = Pace(wall_ns=NOW_NS, event_ns=NOW_NS - 1000 * S, speed=10)

    assert pace.event_time_ns(NOW_NS + 3 * S) == NOW_NS - 970 * S


@given(SPEEDS, SPANS)
def test_after_the_wait_the_event_time_is_reached(speed: float, ahead_ns: int) -> None:
    pace = Pace(NOW_NS, NOW_NS - 10**7 * S, speed)
    due_ns = pace.event_ns + ahead_ns
    wait_s = pace.seconds_until(due_ns, NOW_NS)

    assert pace.event_time_ns(NOW_NS + int(wait_s * S)) == pytest.approx(due_ns, abs=1e4)
    assert pace.seconds_until(pace.event_ns - S, NOW_NS) == 0


def test_a_fast_run_without_end_or_origin_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="SPEED=5: expected MELTWATCH_SIMULATOR_DURATION"):
        simulated_run(settings(speed=5), NOW_NS)


def test_a_recording_without_an_origin_is_refused() -> None:
    alone = Settings(recording_dir=Path("here"))

    with pytest.raises(ConfigurationError, match="_DIR=here: expected MELTWATCH_SIMULATOR_ORIGIN"):
        simulated_run(alone, NOW_NS)
