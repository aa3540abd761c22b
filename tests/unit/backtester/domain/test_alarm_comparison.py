"""What a replay can know of system alarms: their words, not the clock nor what it masks."""

from meltwatch_backtester.domain.alarm_comparison import differences
from meltwatch_core.alarms.system_alarms import is_by_clock
from meltwatch_schemas.alarm import AlarmRecord, AlarmState

from tests.unit.core.alarms.samples import FURNACE, score
from tests.unit.core.alarms.topic_log import TopicLog

NAME = f"{FURNACE}/VIDEO_LOST"


def video_lost() -> AlarmRecord:
    log = TopicLog()
    log.judge([score(number, -3.0, reasons=("no_video",)) for number in range(20)])
    (record,) = log.alarms()
    return record


def test_what_live_masked_is_the_same_alarm() -> None:
    raised = video_lost()
    masked = {"state": AlarmState.DSUPR, "suppressed": ["masked"]}
    suppressed = raised.transition.model_copy(update={"cause": "SUPPRESS"})
    live = [raised, raised.model_copy(update={**masked, "transition": suppressed})]
    assert differences({NAME: live}, [raised]) == (1, [])
    assert differences({NAME: [raised.model_copy(update=masked)]}, [raised]) == (1, [])


def test_a_system_alarm_that_live_never_raised_differs() -> None:
    compared, (found,) = differences({}, [video_lost()])
    assert (compared, found.alarm_id, found.live) == (1, NAME, ())


def test_alarms_of_the_clock_and_of_reports_are_left_out() -> None:
    assert is_by_clock("meltwatch/PLANT_BLIND")
    assert is_by_clock(f"{FURNACE}/FURNACE_SILENT")
    assert is_by_clock("meltwatch/FOREIGN_WRITER")
    assert not is_by_clock(NAME)
    assert not is_by_clock(f"{FURNACE}/OVERHEAT")
