"""NOVELTY on a real Kafka: who takes over within the delay raises as the other would have."""

from dataclasses import replace

import pytest
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.novelty import Novelty
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from tests.support.waiting import until
from tests.unit.core.alarms.samples import (
    FURNACE,
    HOP_NS,
    json_record,
    novelty_point,
    score,
    window_end,
)

pytestmark = pytest.mark.integration
POINT = novelty_point()
ON, OFF = (-(-delay_s * NS_PER_S // HOP_NS) for delay_s in (20, 120))


def compared(number: int, surprise: float) -> WindowScore:
    """Return a window that no model scored, compared with the portrait all the same."""
    seen = Novelty(portrait="a" * 64, video=surprise, current=0.25, peak=(6, 0))
    return replace(score(number, None, reasons=("model_unavailable",)), novelty=seen)


def told(broker):
    return [record for record in broker.alarms() if record.alarm_id == POINT.alarm_id]


def judged(manager) -> float:
    """Return how many scores a manager has judged."""
    lines = manager.probe("/metrics")[1].splitlines()
    found = [
        line
        for line in lines
        if line.startswith("meltwatch_records_total{")
        and 'outcome="judged"' in line
        and 'topic="scores"' in line
    ]
    return float(found[0].rpartition(" ")[2]) if found else 0.0


def test_a_manager_that_is_killed_within_the_delay_loses_nothing_of_it(broker, view, make_manager):
    begun = ON // 2
    with make_manager() as manager:
        broker.send(json_record(Topic.ALARM_POINTS, POINT, POINT.alarm_id, prefix=broker.prefix))
        manager.wait_ready()
        broker.send_scores(compared(number, 4.5) for number in range(begun))
        until(lambda: judged(manager) == begun, lambda: f"{judged(manager)} of {begun} judged")
        manager.kill()
    with make_manager() as successor:
        successor.wait_ready()
        broker.send_scores(compared(number, 4.5) for number in range(begun, ON + 1))
        until(lambda: told(broker), "the raise")
        (raised,) = told(broker)
        assert raised.condition_time == utc_from_ns(window_end(0))
        assert raised.raise_time == utc_from_ns(window_end(0) + 20 * NS_PER_S)
        assert (raised.mode, raised.audible, raised.retain) == ("advisory", False, True)
        assert "picture lower left, surprise 4.5 since " in raised.message
        until(lambda: POINT.alarm_id in view.smembers(f"{broker.prefix}:unacked"), "the view")

        broker.send_scores(compared(number, 0.5) for number in range(ON + 1, ON + OFF + 2))
        until(lambda: len(told(broker)) == 2, "the clear")
        cleared = told(broker)[-1]
        assert (cleared.transition.cause, cleared.occurrence_id) == ("CLEAR", raised.occurrence_id)
        assert FURNACE in cleared.alarm_id
