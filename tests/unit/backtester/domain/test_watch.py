import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_backtester.domain.setpoint_finding import RULE
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.watch import Abnormal, LogOddsWatch, Said, normal_operation
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

HOP_NS = PUBLISHED_SPEC.hop_ns
HELD = RULE.windows_held(HOP_NS / NS_PER_S)
"""Windows after the first until an alarm is raised."""


def watch_of(logits: dict[str, list[float | None]]) -> LogOddsWatch:
    watch = LogOddsWatch()
    for furnace_id, series in logits.items():
        for number, logit in enumerate(series):
            watch.add_window(Said(furnace_id, number * HOP_NS, logit, "m"))
    return watch


def held_of(watch: LogOddsWatch, *abnormal: Abnormal) -> list[float]:
    return normal_operation(watch, abnormal, RULE, settle_s=0.0).held.tolist()


def test_a_window_counts_with_what_its_alarm_would_have_to_hold() -> None:
    assert held_of(watch_of({"f": [5.0, 4.0, 9.0, 9.0, 4.5]})) == [5.0]
    assert held_of(watch_of({"f": [5.0, 1.0, 9.0, 9.0, 4.5]})) == [3.0], "a deadband above 1"


def test_no_window_looks_across_a_gap() -> None:
    assert held_of(watch_of({"f": [5.0] * HELD + [None] + [5.0] * HELD})) == []
    assert held_of(watch_of({"f": [5.0] * (HELD + 1) + [None] + [5.0] * HELD})) == [5.0]


def test_of_a_window_that_came_twice_the_first_stands() -> None:
    watch = watch_of({"f": [5.0] * (HELD + 1)})
    for number in range(HELD + 1):
        watch.add_window(Said("f", number * HOP_NS, 9.0, "m"))
    assert held_of(watch) == [5.0]


def test_an_alarm_that_would_be_raised_in_an_abnormal_stretch_is_not_a_false_one() -> None:
    watch = watch_of({"f": [1.0] * 20, "g": [2.0] * 20})
    everything = 20 - HELD
    stretch = Span(10 * HOP_NS, 13 * HOP_NS)
    assert len(held_of(watch)) == 2 * everything
    assert len(held_of(watch, Abnormal(stretch))) == 2 * (everything - 3)
    assert len(held_of(watch, Abnormal(stretch, "f"))) == 2 * everything - 3
    settled = normal_operation(watch, [Abnormal(stretch)], RULE, settle_s=2 * HOP_NS / NS_PER_S)
    assert len(settled.held) == 2 * (everything - 5)


@given(st.integers(1, 4), st.integers(HELD + 1, 6000))
def test_every_furnace_hour_is_a_unit_and_all_are_weighed_by_their_time(
    furnaces: int, windows: int
) -> None:
    watch = watch_of({f"f{number}": [float(number)] * windows for number in range(furnaces)})
    found = normal_operation(watch, (), RULE, settle_s=0.0)
    hours = 1 + (windows - HELD - 1) * HOP_NS // (3600 * NS_PER_S)
    assert found.units == furnaces * hours
    assert found.furnaces == furnaces
    assert found.days.sum() == pytest.approx(len(found.held) * HOP_NS / NS_PER_S / 86_400)
    assert (np.diff(found.times_s) > 0).all()
    apart = np.diff(found.times_s)[np.flatnonzero(np.diff(found.held))]
    assert (apart > 1e5).all(), "furnaces share no occasion"
