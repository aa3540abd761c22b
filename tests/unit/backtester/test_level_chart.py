"""What the picture of return levels shows."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_backtester.domain.chart import LEVELS_HEIGHT, PeriodAxis, level_chart
from meltwatch_backtester.domain.setpoint_finding import SetpointFinding, find_setpoint
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.time_axis import WIDTH
from meltwatch_backtester.domain.watch import LogOddsWatch, Said
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.support.examples import examples

SPAN = Span(0, 86_400 * NS_PER_S)


def finding(seed: int, windows: int, budget: float) -> SetpointFinding:
    watch = LogOddsWatch()
    logits = np.random.default_rng(seed).normal(-6.0, 1.0, windows)
    for number, logit in enumerate(logits.tolist()):
        watch.add_window(Said("f", number * PUBLISHED_SPEC.hop_ns, logit, "m"))
    return find_setpoint(watch, SPAN, (), budget)


@examples(10)
@given(st.integers(0, 99), st.integers(200, 3_000), st.floats(0.01, 100.0), st.floats(-9, 9))
def test_all_that_was_found_lies_in_the_picture_and_the_asked_is_marked_once(
    seed: int, windows: int, budget: float, default: float
) -> None:
    found = finding(seed, windows, budget)
    chart = level_chart(found, default)
    assert len(chart.peaks) == found.basis.clusters
    assert [one.is_asked for one in chart.thresholds].count(True) == 1
    places = [*chart.peaks, *((one.x, one.y) for one in chart.thresholds)]
    assert all(0 <= x <= WIDTH and 0 <= y <= LEVELS_HEIGHT for x, y in places)
    assert 0 <= chart.default_y <= LEVELS_HEIGHT
    assert all(one.high_y <= one.y <= one.low_y for one in chart.thresholds)


def test_higher_peaks_are_seldomer_and_the_curve_never_falls() -> None:
    chart = level_chart(finding(1, 20_000, 1.0), 2.9)
    assert chart.peaks == sorted(chart.peaks, key=lambda peak: (-peak.x, peak.y))
    numbers = [float(number) for number in re.findall(r"-?[0-9.e+]+", chart.curve)]
    assert len(numbers) == 200
    assert (np.diff(numbers[::2]) > 0).all()
    assert (np.diff(numbers[1::2]) <= 0).all()


def test_a_threshold_of_a_budget_lies_on_the_curve() -> None:
    found = finding(1, 20_000, 1.0)
    chart = level_chart(found, 2.9)
    for one, basis in zip(chart.thresholds, found.thresholds, strict=True):
        assert one.x == pytest.approx(chart.days.x(1 / basis.budget))
        assert one.y == chart.logits.y(basis.tail.value_of(basis.budget))


@given(st.floats(1e-4, 1.0), st.floats(2.0, 1e4))
def test_days_are_marked_at_a_handful_of_round_numbers(shortest: float, stretch: float) -> None:
    axis = PeriodAxis(shortest, shortest * stretch)
    ticks = axis.ticks()
    assert all(0 <= tick.at <= WIDTH for tick in ticks)
    assert {f"{float(tick.label):.0e}"[0] for tick in ticks} <= {"1", "2", "5"}
    assert [tick.at for tick in ticks] == sorted(tick.at for tick in ticks)
