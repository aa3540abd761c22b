from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from meltwatch_chassis.testing import ManualClock
from meltwatch_schemas.window import NS_PER_S
from meltwatch_stream_processor.pipeline.progress import Mark, Progress, ReaderClock


def beat_for(progress: Progress, clock: ManualClock, seconds: int, lag: int | None) -> None:
    for _ in range(seconds):
        clock.advance(NS_PER_S)
        progress.beat({0: Mark("the same offsets", lag)})


def test_standing_still_without_lag_is_well() -> None:
    clock = ManualClock()
    progress = Progress(clock)
    beat_for(progress, clock, 300, 0)
    assert progress.problem() is None


def test_standing_still_with_lag_is_not() -> None:
    clock = ManualClock()
    progress = Progress(clock)
    beat_for(progress, clock, 30, 7)
    assert progress.problem() is None
    beat_for(progress, clock, 40, 7)
    assert "nothing moved in partition 0 for" in (progress.problem() or "")


def test_moving_offsets_are_progress() -> None:
    clock = ManualClock()
    progress = Progress(clock)
    for offset in range(200):
        clock.advance(NS_PER_S)
        progress.beat({0: Mark(offset, 7)})
    assert progress.problem() is None


def test_one_partition_that_stands_still_does_not_hide_behind_others_that_move() -> None:
    clock = ManualClock()
    progress = Progress(clock)
    for offset in range(200):
        clock.advance(NS_PER_S)
        progress.beat({3: Mark(offset, 7), 5: Mark("stuck", 9), 8: Mark("idle", 0)})
    said = progress.problem() or ""
    assert said.startswith(
        "expected progress, nothing moved in partition 5 for 199 s with 9 unread"
    )
    progress.beat({3: Mark(200, 7)})
    assert progress.problem() is None


def test_lag_that_nobody_can_tell_is_no_stall() -> None:
    clock = ManualClock()
    progress = Progress(clock)
    beat_for(progress, clock, 300, None)
    assert progress.problem() is None


def test_after_an_outage_a_partition_has_all_its_time_again() -> None:
    clock = ManualClock()
    progress = Progress(clock)
    beat_for(progress, clock, 50, 7)
    beat_for(progress, clock, 100, None)
    beat_for(progress, clock, 50, 7)
    assert progress.problem() is None
    beat_for(progress, clock, 20, 7)
    assert progress.problem() is not None


def test_an_event_loop_that_hangs_is_seen_from_outside_it() -> None:
    clock = ManualClock()
    progress = Progress(clock)
    clock.advance(20 * NS_PER_S)
    assert "event loop" in (progress.problem() or "")


@given(st.lists(st.tuples(st.floats(0, 200), st.booleans()), max_size=30))
def test_the_readers_clock_runs_for_ten_seconds_without_an_answer(
    steps: Sequence[tuple[float, bool]],
) -> None:
    clock = ManualClock()
    reader = ReaderClock(clock)
    told, unanswered_s = [reader.now_ns()], 0.0
    expected_ns = told[0]
    for seconds, is_answered in steps:
        passed_ns = round(seconds * NS_PER_S)
        clock.advance(passed_ns)
        expected_ns += min(passed_ns, max(10 * NS_PER_S - round(unanswered_s * NS_PER_S), 0))
        unanswered_s += passed_ns / NS_PER_S
        told.append(reader.now_ns())
        assert abs(told[-1] - expected_ns) <= len(told)
        if is_answered:
            reader.note_answer()
            unanswered_s = 0.0
            assert reader.now_ns() == told[-1]
    assert all(earlier <= later for earlier, later in pairwise(told))
