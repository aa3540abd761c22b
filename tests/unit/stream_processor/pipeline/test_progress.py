from meltwatch_chassis.testing import ManualClock
from meltwatch_schemas.window import NS_PER_S
from meltwatch_stream_processor.pipeline.progress import Progress


def beat_for(progress: Progress, clock: ManualClock, seconds: int, lag: int | None) -> None:
    for _ in range(seconds):
        clock.advance(NS_PER_S)
        progress.beat("the same offsets", lag)


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
    assert "nothing moved" in (progress.problem() or "")


def test_moving_offsets_are_progress() -> None:
    clock = ManualClock()
    progress = Progress(clock)
    for offset in range(200):
        clock.advance(NS_PER_S)
        progress.beat(offset, 7)
    assert progress.problem() is None


def test_lag_that_nobody_can_tell_is_no_stall() -> None:
    clock = ManualClock()
    progress = Progress(clock)
    beat_for(progress, clock, 300, None)
    assert progress.problem() is None


def test_an_event_loop_that_hangs_is_seen_from_outside_it() -> None:
    clock = ManualClock()
    progress = Progress(clock)
    clock.advance(20 * NS_PER_S)
    assert "event loop" in (progress.problem() or "")
