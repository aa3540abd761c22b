"""Two levels are two alarm points on one score: the first makes way for the second."""

import pytest
from meltwatch_schemas.alarm import AlarmState, Priority
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.point_classes import Resolver

from tests.unit.core.alarms.samples import FURNACE, point, score, setpoint
from tests.unit.core.alarms.topic_log import NOW_NS, SCORES, TopicLog

FIRST, SECOND = f"{FURNACE}/OVERHEAT", f"{FURNACE}/OVERHEAT_HH"


def two_levels() -> tuple[AlarmPoint, ...]:
    entries = [
        {"alarm_class": "overheat", "masked_by": "OVERHEAT_HH"},
        {"alarm_class": "overheat_hh"},
    ]
    furnace = {"alarm_points": entries}
    Resolver().make_whole(furnace, (), FURNACE)
    return tuple(AlarmPoint.model_validate(entry) for entry in furnace["alarm_points"])


def test_the_first_level_alone_and_then_the_second_that_masks_it() -> None:
    log = TopicLog(points={FURNACE: two_levels()})
    log.judge([score(number, 3.0) for number in range(6)])
    assert [(r.alarm_id, r.state) for r in log.alarms()] == [(FIRST, AlarmState.UNACK)]

    log = TopicLog(points={FURNACE: two_levels()})
    log.judge([score(n, 3.0) for n in range(6)] + [score(n, 9.0) for n in range(6, 12)])
    second = next(r for r in log.alarms() if r.alarm_id == SECOND)
    assert (second.state, second.priority) == (AlarmState.UNACK, Priority.CRITICAL)
    assert "alarm from 5" in second.message

    pipeline = log.take_over()
    log.write(pipeline.tick(NOW_NS, None), pipeline)
    first = [r for r in log.alarms() if r.alarm_id == FIRST][-1]
    assert (first.state, first.active, first.retain) == (AlarmState.DSUPR, True, False)


@pytest.mark.parametrize("delays", [{"on_delay_s": 2.88}, {"on_delay_s": 0.0}, {"k": 2, "n": 3}])
@pytest.mark.parametrize("order", [1, -1])
def test_of_two_levels_due_with_one_window_only_the_second_calls(
    delays: dict[str, float], order: int
) -> None:
    """In whatever order they are written; and so for whoever takes over before that window."""
    levels = (
        point(alarm_id=FIRST, masked_by=SECOND, setpoint=setpoint(**delays)),
        point(alarm_id=SECOND, setpoint=setpoint(logit_on=5.0, **delays)),
    )
    for succeeds_at in range(6):
        log = TopicLog(points={FURNACE: levels[::order]})
        log.judge([score(number, 9.0) for number in range(succeeds_at)])
        begin = log.commit(SCORES).offset
        log.judge([score(number, 9.0) for number in range(begin, 6)], begin)
        calls = [r.alarm_id for r in log.alarms() if r.transition.to is AlarmState.UNACK]
        states = {r.alarm_id: r.state for r in log.alarms()}
        assert (calls, states[FIRST]) == ([SECOND], AlarmState.DSUPR)
