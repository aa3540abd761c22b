"""The ring against a model that keeps everything."""

from hypothesis import given
from hypothesis import strategies as st
from meltwatch_console.domain.ring import SeenWindow, TraceRow, WindowRing

from tests.support.examples import examples

MINUTE_MS = 60_000
NOON_MS = 1_764_417_600_000
SCORES = st.none() | st.floats(-50, 50, width=32)
ENDS = st.integers(0, 400).map(lambda step: NOON_MS + step * 1_440)
SHARES = st.just(1.0)
WINDOWS = st.builds(SeenWindow, ENDS, SCORES, st.integers(0, 15), SHARES, SHARES)
BATCHES = st.lists(st.lists(WINDOWS, max_size=12), max_size=12)


def told(batches: list[list[SeenWindow]]) -> dict[int, SeenWindow]:
    """The first that came of each instant."""
    kept: dict[int, SeenWindow] = {}
    for batch in batches:
        for window in batch:
            kept.setdefault(window.end_ms, window)
    return dict(sorted(kept.items()))


@examples(60)
@given(BATCHES)
def test_every_window_is_in_the_trace_once_however_they_came(batches: list[list[SeenWindow]]):
    ring = WindowRing()
    for batch in batches:
        ring.add_windows(batch)
    expected = [TraceRow(w.end_ms, w.score, w.score, w.flags) for w in told(batches).values()]
    assert ring.rows(0, NOON_MS * 2) == expected


@examples(60)
@given(BATCHES, st.integers(1, 6))
def test_what_windows_no_longer_tell_their_minutes_tell(batches, most: int):
    ring = WindowRing(windows=most)
    for batch in batches:
        ring.add_windows(same_again(batch))
    windows = told([same_again(batch) for batch in batches]).values()
    rows = ring.rows(0, NOON_MS * 2)
    ends = [row.end_ms for row in rows]
    assert ends == sorted(set(ends))
    scores = [window.score for window in windows if window.score is not None]
    assert min((r.low for r in rows if r.low is not None), default=0) == min(scores, default=0)
    assert max((r.high for r in rows if r.high is not None), default=0) == max(scores, default=0)


def same_again(batch: list[SeenWindow]) -> list[SeenWindow]:
    """A window that comes twice says the same: the score is a function of its instant."""
    return [window._replace(score=float(window.end_ms % 977)) for window in batch]


@examples(40)
@given(BATCHES, st.integers(1_000, 200_000))
def test_steps_lose_no_peak_and_no_flag(batches, step_ms: int):
    ring = WindowRing()
    for batch in batches:
        ring.add_windows(batch)
    fine, coarse = ring.rows(0, NOON_MS * 2), ring.rows(0, NOON_MS * 2, step_ms)
    assert len({row.end_ms // step_ms for row in fine}) == len(coarse)
    for row in coarse:
        inside = [each for each in fine if each.end_ms // step_ms == row.end_ms // step_ms]
        assert row.high == max(
            (each.high for each in inside if each.high is not None), default=None
        )
        assert row.low == min((each.low for each in inside if each.low is not None), default=None)
        assert all(each.flags & row.flags == each.flags for each in inside)
        assert row.end_ms == inside[-1].end_ms


def test_an_hour_and_a_week_are_kept_in_bounded_memory():
    ring = WindowRing()
    for start in range(0, 60_000, 500):
        ring.add_windows(
            SeenWindow(NOON_MS + step * 1_440, step % 97 - 40.0, 0)
            for step in range(start, start + 500)
        )
    assert ring.nbytes <= 2_500 * 16 + 10_080 * 13
    rows = ring.rows(0, 2 * NOON_MS)
    assert rows[-1].end_ms == NOON_MS + 59_999 * 1_440
    # All 24 h: minutes first, the last hour window by window.
    assert rows[0].end_ms <= NOON_MS + MINUTE_MS
    assert sum(row.low == row.high for row in rows) >= 2_500
    assert max(row.high for row in rows if row.high is not None) == 56.0


def test_a_furnace_that_says_little_takes_little():
    ring = WindowRing()
    ring.add_windows([SeenWindow(NOON_MS, 1.0, 0)])
    assert ring.nbytes < 3_000
    assert ring.since_ms() == NOON_MS
    assert WindowRing().since_ms() is None


def test_a_span_is_half_open():
    ring = WindowRing()
    ring.add_windows(SeenWindow(NOON_MS + step, None, 4) for step in (0, 5, 10))
    assert [row.end_ms - NOON_MS for row in ring.rows(NOON_MS + 5, NOON_MS + 10)] == [5]
