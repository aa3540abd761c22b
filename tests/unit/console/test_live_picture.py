"""What browsers are told of alarms, and when that is all of them."""

import json

import pytest
from meltwatch_chassis.testing import ManualClock
from meltwatch_console.domain.alarm_lines import AlarmLines
from meltwatch_console.domain.journal import JournalTail
from meltwatch_console.domain.occurrences import OccurrenceBook
from meltwatch_console.domain.roster import Roster
from meltwatch_console.pipeline.live_picture import Link, LinkState, LivePicture
from meltwatch_schemas.alarm import AlarmState
from meltwatch_schemas.alarm_board import AlarmTurn

from tests.support.builders import ALARM, FURNACE, alarm_record


@pytest.fixture
def picture() -> LivePicture:
    made = LivePicture(
        Roster([FURNACE], 2), JournalTail(), OccurrenceBook(), AlarmLines(0), ManualClock()
    )
    made.told = []
    made.publish = lambda event, data: made.told.append((event, json.loads(data)))
    return made


def turn(record) -> AlarmTurn:
    return AlarmTurn(record.alarm_id, None, record)


def shown(picture: LivePicture):
    return json.loads(picture.snapshot())


def test_alarms_that_are_still_being_read_are_not_the_whole_picture(picture):
    record = alarm_record()
    assert shown(picture)["whole"] is False
    picture.take_history([turn(record)], {ALARM: record})
    assert shown(picture)["whole"] is False
    picture.tell_all()
    ((event, told),) = picture.told
    assert (event, told["whole"], len(told["alarms"])) == ("snapshot", True, 1)
    picture.take_history([], {})
    assert shown(picture)["whole"] is False, "they are read anew"


def test_a_change_is_told_and_a_normal_alarm_is_not_listed(picture):
    record = alarm_record()
    normal = record.model_copy(update={"state": AlarmState.NORM})
    picture.take([turn(record)], {ALARM: record})
    assert picture.told == [("alarm", json.loads(record.to_json()))]
    assert picture.alarm(ALARM) is record
    picture.take([turn(normal)], {ALARM: normal})
    assert json.loads(picture.alarm_list())["alarms"] == []
    picture.take([AlarmTurn(ALARM, record, None)], {})
    assert picture.told[-1] == (
        "alarm", {"alarm_id": ALARM, "state": "NORM", "removed": True},
    )  # fmt: skip


def test_a_furnace_that_is_not_registered_is_told_once_and_one_too_many_is_left_out(picture):
    assert picture.index_of(FURNACE) == 0
    assert [picture.index_of("other/F1") for _ in range(2)] == [1, 1]
    assert picture.index_of("other/F2") is None
    assert [event for event, _ in picture.told] == ["furnace"]
    assert picture.told[0][1]["registered"] is False
    assert picture.roster.left_out == 1


def test_how_far_to_trust_it_is_told_when_the_word_is_another(picture):
    picture.note_link(Link(LinkState.LIVE, 1))
    picture.note_link(Link(LinkState.LIVE, 2))
    picture.note_link(Link(LinkState.NO_MANAGER, 15, "no heartbeat"))
    assert [told["state"] for _, told in picture.told] == ["live", "no_manager"]
    picture.beat(None)
    event, told = picture.told[-1]
    assert (event, told["link"]["age_s"], "epoch" in told) == ("heartbeat", 15, False)
