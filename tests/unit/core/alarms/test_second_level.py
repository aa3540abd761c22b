"""Two levels are two alarm points on one score: the first makes way for the second."""

from meltwatch_schemas.alarm import AlarmPoint, AlarmState, Priority
from meltwatch_schemas.point_classes import Resolver

from tests.unit.core.alarms.samples import FURNACE, score
from tests.unit.core.alarms.topic_log import NOW_NS, TopicLog

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
