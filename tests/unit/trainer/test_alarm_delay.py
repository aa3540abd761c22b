from itertools import pairwise
from math import inf

from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.alarm_point import Setpoint
from meltwatch_trainer.judge.alarm_delay import AlarmSpan, alarms, judge

SETPOINT = Setpoint(logit_on=2.0, logit_off=0.0, on_delay_s=2.0, off_delay_s=3.0)


def series(*logits: float) -> list[tuple[float, float]]:
    return [(float(second), logit) for second, logit in enumerate(logits)]


def test_an_alarm_is_raised_when_the_on_delay_is_full_and_not_before() -> None:
    assert alarms(series(-5, 3, 3), SETPOINT) == []
    assert alarms(series(-5, 3, 3, 3), SETPOINT) == [AlarmSpan(3.0, inf)]


def test_logits_in_the_deadband_neither_start_nor_stop_a_delay() -> None:
    assert alarms(series(1, 1, 1, 1, 1), SETPOINT) == []
    assert alarms(series(-5, 3, 1, 1), SETPOINT) == [AlarmSpan(3.0, inf)]


def test_one_logit_below_the_lower_threshold_starts_the_on_delay_anew() -> None:
    assert alarms(series(3, 3, -1, 3, 3), SETPOINT) == []


def test_an_alarm_clears_after_the_off_delay_and_can_come_back() -> None:
    values = series(3, 3, 3, -1, -1, -1, -1, 3, 3, 3)
    assert alarms(values, SETPOINT) == [AlarmSpan(2.0, 6.0), AlarmSpan(9.0, inf)]


def test_windows_that_were_thinned_are_no_gap() -> None:
    ends_s = (0.0, 10.0, 20.0, 30.0)
    values = list(zip(ends_s, (3.0, 3.0, -1.0, -1.0), strict=True))
    assert alarms(values, SETPOINT) == [AlarmSpan(10.0, 30.0)]


@given(st.lists(st.floats(-10, 10), max_size=60))
def test_alarms_never_overlap_and_need_a_logit_at_the_upper_threshold(logits: list[float]) -> None:
    found = alarms(series(*logits), SETPOINT)
    for earlier, later in pairwise(found):
        assert earlier.raised_s < earlier.cleared_s < later.raised_s
    assert not found or max(logits) >= SETPOINT.logit_on


def test_alarms_are_set_against_faults() -> None:
    values = series(-5, 3, 3, 3, -5, -5, -5, -5, -5, 3, 3, 3, -5, -5, -5, -5, -5, -5)
    judgement = judge(values, SETPOINT, ((1.0, 5.0), (15.0, 16.0)), grace_s=1.0)
    assert judgement.delays_s == (2.0, None)
    assert judgement.false_alarms == 1
    assert judgement.clear_lags_s == (2.0,)
