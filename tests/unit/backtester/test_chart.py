"""What a picture shows of a trace."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_backtester.domain.chart import HEIGHT, LogitAxis, chart_of
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.time_axis import WIDTH, TimeAxis, cuts_of
from meltwatch_backtester.domain.trace import COLUMNS, Stretches, Trace, TracedWindow
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

HOP_NS = PUBLISHED_SPEC.hop_ns
logits = st.none() | st.floats(-30, 30)
spans = st.builds(
    lambda start, length: Span(start, start + length),
    st.integers(0, 2**62),
    st.integers(NS_PER_S, 40 * 86_400 * NS_PER_S),
)


@st.composite
def traces(draw):
    """Draw windows that leave some numbers out, and the trace they make."""
    length = draw(st.integers(2, 5_000))
    span = Span(0, length * HOP_NS)
    numbers = sorted(draw(st.sets(st.integers(1, length - 1), max_size=40)))
    windows = [
        TracedWindow(n * HOP_NS, draw(logits), draw(logits), ("late",) * draw(st.integers(0, 1)))
        for n in numbers
    ]
    trace = Trace(TimeAxis(span))
    for window in windows:
        trace.add_window(window)
    trace.finish()
    return trace, windows


@given(drawn=traces())
def test_every_logit_lies_within_its_column_and_no_other_value_is_shown(drawn):
    trace, windows = drawn
    values = [window.logit for window in windows if window.logit is not None]
    columns = trace.replayed.values()

    assert len(trace.replayed) <= COLUMNS + 1
    assert {value for column in columns for value in column} <= set(values)
    for window in windows:
        if window.logit is not None:
            low, high = trace.replayed[window.end_ns // trace.column_ns]
            assert low <= window.logit <= high


@given(drawn=traces())
def test_a_gap_is_where_no_window_ends(drawn):
    trace, windows = drawn
    gaps = trace.stretches().get("gap", ())
    ends = [window.end_ns for window in windows]

    assert list(gaps) == sorted(gaps, key=lambda gap: gap.from_ns)
    whole = trace.column_ns == HOP_NS
    for gap in gaps if whole else ():
        assert not any(gap.from_ns < end_ns <= gap.to_ns for end_ns in ends)
    for number in range(1, trace.span.to_ns // HOP_NS):
        if number * HOP_NS not in ends:
            assert any(gap.from_ns < number * HOP_NS <= gap.to_ns for gap in gaps)


@given(drawn=traces())
def test_a_shaded_stretch_covers_every_window_of_its_kind(drawn):
    trace, windows = drawn
    late = trace.stretches().get("late", ())

    for window in windows:
        if window.kinds:
            assert any(span.from_ns < window.end_ns <= span.to_ns for span in late)


@given(drawn=traces(), thresholds=st.lists(st.floats(-30, 30), max_size=2))
def test_all_of_a_chart_lies_within_the_picture(drawn, thresholds):
    chart = chart_of(drawn[0], thresholds)

    for step in re.findall(r"[MLV][^MLV]*", chart.replayed + chart.live):
        *x, y = (float(number) for number in step[1:].split())
        assert 0 <= y <= HEIGHT
        assert all(0 <= at <= WIDTH for at in x)
    for threshold in thresholds:
        assert 0 <= chart.logits.y(threshold) <= HEIGHT


@given(values=st.lists(st.floats(-1e6, 1e6), max_size=5))
def test_a_logit_axis_has_a_handful_of_ticks(values):
    assert 1 <= len(LogitAxis.over(values).ticks()) <= 8


@given(span=spans)
def test_a_time_axis_has_a_handful_of_ticks_within_the_picture(span):
    ticks = TimeAxis(span).ticks()

    assert len(ticks) <= 8
    assert all(0 <= tick.at <= WIDTH for tick in ticks)


def test_ticks_of_time_are_round():
    axis = TimeAxis(Span(1_750_000_123 * NS_PER_S, 1_750_000_723 * NS_PER_S))

    assert [tick.label for tick in axis.ticks()] == ["15:10", "15:12", "15:14", "15:16", "15:18"]


def test_stretches_that_no_picture_tells_apart_are_one():
    found = Stretches(10)
    for start, end in ((0, 5), (14, 20), (30, 40)):
        found.add_stretch(start, end)

    assert found.spans == (Span(0, 20), Span(30, 40))


def seconds(*pairs: tuple[float, float]) -> tuple[Span, ...]:
    return tuple(Span(round(a * NS_PER_S), round(b * NS_PER_S)) for a, b in pairs)


def test_a_long_stretch_without_anything_is_cut_out_and_a_short_one_is_not():
    (span,) = seconds((0, 10_000))
    ends = [n * NS_PER_S for n in (*range(1, 300), *range(5_000, 5_100), *range(5_190, 5_300))]
    assert cuts_of(ends, span) == seconds((299, 5_000), (5_299, 10_000))
    assert cuts_of([], span) == (), "of nothing there is nothing to show"
    assert cuts_of([n * 100 * NS_PER_S for n in range(100)], span) == ()


def test_what_is_left_fills_the_picture_and_the_seam_is_narrow():
    (span,) = seconds((0, 10_000))
    axis = TimeAxis(span, seconds((300, 9_700)))
    left, right = axis.x(300 * NS_PER_S), axis.x(9_700 * NS_PER_S)
    assert 490 < left < right < 510
    assert (axis.x(0), axis.x(span.to_ns)) == (0, WIDTH)
    assert axis.x(5_000 * NS_PER_S) == pytest.approx((left + right) / 2, abs=0.1)
    assert axis.x(150 * NS_PER_S) == pytest.approx(left / 2, abs=0.1)


@given(span=spans, shares=st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_time_goes_from_left_to_right_whatever_is_cut_out(span, shares):
    times = sorted(round(span.from_ns + s * (span.to_ns - span.from_ns)) for s in shares)
    pairs = zip(times[::2], times[1::2], strict=False)
    cuts = tuple(Span(a, b) for a, b in pairs if span.from_ns < a < b < span.to_ns)
    axis = TimeAxis(span, cuts)
    places = [axis.x(time_ns) for time_ns in times]
    assert places == sorted(places)
    assert 0 <= places[0] <= places[-1] <= WIDTH
    assert len(axis.ticks()) <= 20


def test_dates_stand_on_the_ticks_where_a_span_crosses_days():
    day = 1_750_032_000  # 2025-06-16 00:00 UTC
    (span,) = seconds((day - 3_600, day + 3_600))
    labels = [(tick.label, tick.date) for tick in TimeAxis(span).ticks()]
    assert labels[0] == ("23:00", "15 Jun")
    assert labels[1] == ("23:30", "")
    assert ("00:00", "16 Jun") in labels
    (within,) = seconds((day, day + 3_600))
    assert not any(tick.date for tick in TimeAxis(within).ticks())


def test_each_piece_between_cuts_says_when_it_begins():
    (span,) = seconds((0, 100_000))
    axis = TimeAxis(span, seconds((3_000, 50_000), (50_300, 97_000)))
    assert any(tick.at == axis.x(50_000 * NS_PER_S) for tick in axis.ticks())
