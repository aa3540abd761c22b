"""Clocks that disagree, from the word in the scores to the alarm that SCADA reads."""

import pytest
from meltwatch_core.alarms.system_alarms import SYSTEM_ALARMS
from meltwatch_schemas.window import NS_PER_S

from tests.unit.core.alarms.samples import FURNACE, HOP_NS, score

pytestmark = pytest.mark.integration
ALARM = SYSTEM_ALARMS["SYNC_SKEW"]


def test_a_skew_in_the_scores_raises_a_system_alarm_and_its_end_clears_it(broker, make_manager):
    apart, together = (
        2 + round(delay_s * NS_PER_S) // HOP_NS for delay_s in (ALARM.on_delay_s, ALARM.off_delay_s)
    )
    with make_manager() as manager:
        manager.wait_ready()
        broker.send_scores(score(n, -3.0, reasons=("sync_skew",)) for n in range(apart))
        (raised,) = broker.wait_alarms(1)
        assert raised.alarm_id == f"{FURNACE}/SYNC_SKEW"
        assert (raised.class_, raised.priority, raised.active) == ("system", "low", True)

        broker.send_scores(score(n, -3.0) for n in range(apart, apart + together))
        _, cleared = broker.wait_alarms(2)
        assert (cleared.transition.cause, cleared.active) == ("CLEAR", False)
        assert cleared.occurrence_id == raised.occurrence_id
