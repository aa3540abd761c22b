"""The picture that browsers have, and what they are told of its changes."""

import json
from datetime import timedelta

import pytest
from meltwatch_chassis.testing import ManualClock
from meltwatch_console.domain.alarm_lines import AlarmLines
from meltwatch_console.domain.journal import JournalQuestion, JournalTail
from meltwatch_console.domain.occurrences import OccurrenceBook
from meltwatch_console.domain.roster import Roster
from meltwatch_console.pipeline.live_picture import Link, LinkState, LivePicture
from meltwatch_schemas.alarm import AlarmRecord, AlarmState, Heartbeat
from meltwatch_schemas.alarm_board import AlarmTurn
from meltwatch_schemas.instants import utc_from_ns

from tests.support.builders import NOON_NS, alarm_record

FURNACE = "a/b/F-2"
ALARM = f"{FURNACE}/OVERHEAT"


class Told(list[tuple[str, object]]):
    """What browsers were told."""

    def publish(self, event: str, data: bytes) -> None:
        assert b"\n" not in data, "an event is one line"
        self.append((event, json.loads(data)))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def picture(told: Told) -> LivePicture:
    made = LivePicture(
        Roster(["a/b/F-3", FURNACE], 10), JournalTail(), OccurrenceBook(), AlarmLines(NOON_NS),
        ManualClock(),
    )  # fmt: skip
    made.publish = told.publish
    return made


def turn(record: AlarmRecord) -> AlarmTurn:
    return AlarmTurn(record.alarm_id, None, record)


def test_the_snapshot_holds_furnaces_in_order_and_what_is_not_normal(picture: LivePicture):
    normal = alarm_record("a/b/F-3/X", state="NORM", active=False)
    raised = alarm_record(ALARM)
    picture.take_history([turn(normal), turn(raised)], {ALARM: raised, "a/b/F-3/X": normal})
    whole = json.loads(picture.snapshot())
    assert [each["id"] for each in whole["furnaces"]] == [FURNACE, "a/b/F-3"]
    assert {each["area"] for each in whole["furnaces"]} == {"b"}
    assert [each["alarm_id"] for each in whole["alarms"]] == [ALARM]
    assert whole["alarms"][0] == json.loads(raised.to_json()), "as on the topic"
    assert (whole["scores"], whole["link"]["state"]) == ([], "stale")
    assert picture.alarm("a/b/F-3/X") is normal
    assert picture.alarm("nobody/knows/IT") is None


def test_a_change_is_told_and_an_end_too(picture: LivePicture, told: Told):
    raised = alarm_record("new/area/F-9/OVERHEAT", title="line\nbreak\u2028")
    picture.take([turn(raised)], {raised.alarm_id: raised})
    assert [event for event, _ in told] == ["furnace", "alarm"]
    assert told[0][1] == {"index": 2, "id": "new/area/F-9", "area": "area", "registered": False}
    picture.take([AlarmTurn(raised.alarm_id, raised, None)], {})
    assert told[-1] == (
        "alarm", {"alarm_id": raised.alarm_id, "state": "NORM", "removed": True},
    )  # fmt: skip
    picture.tell_all()
    assert told[-1][0] == "snapshot"


def test_the_link_is_told_when_its_word_changes(picture: LivePicture, told: Told):
    for link in (Link(LinkState.LIVE), Link(LinkState.LIVE, 3), Link(LinkState.NO_MANAGER, 15)):
        picture.note_link(link)
    assert [event for event, _ in told] == ["link", "link"]
    picture.beat(None)
    assert "epoch" not in told[-1][1]
    picture.beat(Heartbeat(service="alarm_manager", epoch=4, seq=1, active_alarms=0, at=now()))
    assert told[-1][1]["epoch"] == 4
    assert json.loads(picture.alarm_list())["epoch"] == 4


def now():
    return utc_from_ns(NOON_NS)


def test_furnaces_have_a_bound_and_a_place_of_their_own():
    roster = Roster(["a/b/F-1"], 2)
    assert roster.note("a/b/F-1") is None, "known"
    assert roster.note("a b") is None, "no furnace id"
    assert roster.note("b/F-0").index == 1
    assert roster.note("c/F-0") is None
    assert (roster.left_out, roster.entry("c/F-0")) == (1, None)
    assert roster.entry("a/b/F-1").registered
    assert roster.entry("b/F-0").area == "b"
    assert Roster(["F-1"], 1).entry("F-1").area == "-"


def test_the_journal_answers_by_furnace_time_and_state():
    tail = JournalTail(most=4)
    hour = timedelta(hours=1)
    for number, (furnace, state) in enumerate(
        [("x/y/F", "UNACK"), ("a/b/F-1", "UNACK"), ("a/b/F-1", "ACKED"), ("a/b/F-10", "UNACK"),
         ("a/c/F", "RTNUN")]
    ):  # fmt: skip
        at = now() + number * hour
        times = dict.fromkeys(("event", "watermark", "ingest", "scored", "published"), at)
        tail.take(alarm_record(f"{furnace}/X", number + 1, state=state, times=times))

    def seqs(**asked: object) -> list[int]:
        return [json.loads(each)["seq"] for each in tail.answer(JournalQuestion(**asked))]

    assert seqs() == [5, 4, 3, 2], "newest first, the oldest is forgotten"
    assert seqs(furnace="a/b/F-1") == [3, 2]
    assert seqs(furnace="a/b") == [4, 3, 2]
    assert seqs(state=AlarmState.UNACK) == [4, 2]
    assert seqs(since=now() + 2 * hour, until=now() + 4 * hour) == [4, 3]
    assert seqs(most=1) == [5]
