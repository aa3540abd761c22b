import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.condition import Condition, Sample, decided, due, observe
from meltwatch_core.alarms.setpoints.held_level import AlarmRule, held_levels
from meltwatch_schemas.alarm_point import Setpoint
from meltwatch_schemas.window import NS_PER_S

RULE = AlarmRule()
HOP_S = 1.44
series = st.lists(st.integers(-8, 8).map(float), min_size=1, max_size=50)


def first_raise(logits: list[float], setpoint: Setpoint) -> int | None:
    """Return the window at which the alarm manager would raise."""
    condition = Condition()
    for number, logit in enumerate(logits):
        sample = Sample(round(number * HOP_S * NS_PER_S), logit, number)
        condition = observe(condition, sample, setpoint)
        if due(condition, setpoint):
            assert decided(condition).active
            return number
    return None


@given(series, st.integers(-6, 6).map(float))
def test_the_alarm_manager_raises_exactly_if_some_window_holds_its_threshold(
    logits: list[float], logit_on: float
) -> None:
    held = held_levels(np.array(logits), HOP_S, RULE)
    raised = first_raise(logits, RULE.setpoint(logit_on))
    assert (raised is not None) == bool(held.max() >= logit_on)
    if raised is not None:
        assert raised == int(np.argmax(held >= logit_on)) + RULE.windows_held(HOP_S)


@given(series)
def test_no_window_holds_more_than_its_own_logit(logits: list[float]) -> None:
    assert (held_levels(np.array(logits), HOP_S, RULE) <= logits).all()
