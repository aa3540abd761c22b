"""What is wrong with a source, from the word in the scores to the alarm that SCADA reads."""

import pytest
from meltwatch_core.alarms.system_alarms import SYSTEM_ALARMS
from meltwatch_schemas.alarm import Quality
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_S

from tests.support.waiting import until
from tests.unit.core.alarms.samples import ALARM_ID, FURNACE, HOP_NS, score

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


def test_a_camera_that_is_unplugged_under_a_standing_alarm_clears_nothing(broker, make_manager):
    """Half an hour without a picture, some of it without any verdict."""
    blind = {"modalities": (Modality.CURRENT,), "reasons": ("no_video",)}
    lost = f"{FURNACE}/VIDEO_LOST"
    with make_manager() as manager:
        manager.wait_ready()
        broker.send_scores(score(n, 6.0) for n in range(6))
        (raised,) = broker.wait_alarms(1)
        broker.send_scores(
            score(n, None if n % 5 else 1.0, **blind)  # within the deadband, where there is one
            for n in range(6, 1_250)
        )
        until(lambda: any(r.alarm_id == lost for r in broker.alarms()), "VIDEO_LOST")
        broker.send_scores(score(n, 6.0) for n in range(1_250, 1_300))
        until(lambda: [r for r in broker.alarms() if r.alarm_id == lost][-1].active is False, "end")
        mine = [record for record in broker.alarms() if record.alarm_id == ALARM_ID]
    assert {record.transition.cause for record in mine} == {"RAISE", "QUALITY"}
    assert all(record.active and record.state == "UNACK" for record in mine)
    assert {record.occurrence_id for record in mine} == {raised.occurrence_id}
    told = [record for record in mine if record.quality is not Quality.GOOD]
    assert told
    assert all("no_video" in record.quality_reasons for record in told)
    assert mine[-1].quality is Quality.GOOD
