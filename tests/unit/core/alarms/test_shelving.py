"""Shelved, suppressed by command, out of service: what is told, what is kept, what runs out."""

from typing import Any

import pytest
from meltwatch_schemas.instants import utc_from_ns

from tests.unit.core.alarms.samples import point
from tests.unit.core.alarms.topic_log import TopicLog
from tests.unit.core.alarms.virtual_plant import VirtualPlant, at

FURNACE = "a/F1"
NAME = f"{FURNACE}/OVERHEAT"
WORK = {"reason": "new lining", "work_order": "WO-7"}


def hot(_furnace, _second):
    return {"logit": 6.0}


def cool(_furnace, _second):
    return {"logit": -3.0}


def plant(**changes: Any) -> VirtualPlant:
    return VirtualPlant((FURNACE,), TopicLog(points={FURNACE: (point(FURNACE, **changes),)}))


@pytest.fixture
def heated() -> VirtualPlant:
    heated = plant()
    heated.run(15, hot)
    assert heated.record(NAME).state == "UNACK"
    return heated


def told(records):
    return [(record.transition.cause, record.state.value) for record in records]


def test_a_shelving_says_until_when_by_whom_and_why(heated):
    assert heated.shelve(NAME, 60, reason="chattering").code == "ok"
    record = heated.record(NAME)
    assert told([record]) == [("SHELVE", "SHLVD")]
    assert (record.suppressed, record.retain, record.active) == (["shelved"], False, True)
    assert record.shelve.until == utc_from_ns(at(heated.now_s + 60))
    assert (record.shelve.by, record.shelve.reason) == ("li.wei", "chattering")
    assert record.transition.by == "li.wei"


def test_a_shelving_without_a_reason_takes_the_comment_or_says_that_there_is_none(heated):
    heated.shelve(NAME, 60)
    assert heated.record(NAME).shelve.reason == "seen"
    heated.order("shelve", NAME, comment=None, arguments={"duration_s": 60})
    assert heated.record(NAME).shelve.reason == "none given"


def test_shelving_again_replaces_and_does_not_add(heated):
    heated.shelve(NAME, 600)
    heated.run(10, hot)
    heated.shelve(NAME, 20)
    assert heated.record(NAME).shelve.until == utc_from_ns(at(heated.now_s + 20))


def test_a_shelving_that_runs_out_announces_what_is_still_true(heated):
    heated.order("ack", NAME, expected_event_id=heated.record(NAME).event_id)
    before = heated.record(NAME)
    heated.shelve(NAME, 20)
    assert told(heated.run(30, hot)) == [("CLOCK", "UNACK")]
    after = heated.record(NAME)
    assert (after.acked, after.retain, after.shelve) == (False, True, None)
    assert (after.occurrence_id, after.count_24h) == (before.occurrence_id, 1)


def test_what_was_true_only_while_it_was_shelved_is_not_told_afterwards(heated):
    heated.shelve(NAME, 60)
    assert told(heated.run(30, cool)) == [("CLEAR", "SHLVD")]
    assert told(heated.run(40, cool)) == [("CLOCK", "NORM")]


def test_a_timed_shelving_outlasts_any_number_of_raises(heated):
    heated.shelve(NAME, 300)
    for _ in range(3):
        heated.run(30, cool)
        heated.run(30, hot)
    assert heated.record(NAME).state == "SHLVD"
    assert heated.record(NAME).active


def test_a_one_shot_shelving_ends_with_the_next_return_to_normal(heated):
    assert heated.order("shelve", NAME, arguments={"one_shot": True}).code == "ok"
    assert heated.record(NAME).shelve.until == utc_from_ns(at(heated.now_s + 28_800))
    assert told(heated.run(30, cool)) == [("CLEAR", "NORM")]
    assert heated.record(NAME).shelve is None
    assert told(heated.run(15, hot)) == [("RAISE", "UNACK")]


def test_an_alarm_that_was_never_raised_can_be_shelved_before_a_test():
    cold = plant()
    cold.run(10, cool)
    assert cold.shelve(NAME, 60).code == "ok"
    record = cold.record(NAME)
    assert (record.state, record.active, record.raise_time) == ("SHLVD", False, None)
    assert told(cold.run(15, hot)) == [("RAISE", "SHLVD")]
    assert told(cold.run(60, hot)) == [("CLOCK", "UNACK")]


def test_a_shelved_alarm_that_was_never_raised_survives_its_manager():
    cold = plant()
    cold.run(10, cool)
    cold.shelve(NAME, 60)
    cold.take_over()
    assert told(cold.run(15, hot)) == [("RAISE", "SHLVD")]


def test_what_ran_out_while_nobody_led_runs_out_at_once(heated):
    heated.shelve(NAME, 5)
    heated.wait_away(10)
    assert told(heated.run(1, hot)) == [("CLOCK", "UNACK")]


def test_what_has_not_run_out_goes_on_under_the_next_manager(heated):
    heated.shelve(NAME, 60)
    heated.wait_away(10)
    assert told(heated.run(40, hot)) == []
    assert told(heated.run(15, hot)) == [("CLOCK", "UNACK")]


def test_unshelving_tells_at_once_and_only_what_is_shelved(heated):
    assert heated.order("unshelve", NAME).code == "wrong_state"
    heated.shelve(NAME, 60)
    assert heated.order("unshelve", NAME).detail == "now UNACK"


@pytest.mark.parametrize(
    ("changes", "role", "code"),
    [
        ({"shelvable": False}, "engineer", "not_permitted"),
        ({"highly_managed": True}, "operator", "not_permitted"),
        ({"highly_managed": True}, "engineer", "ok"),
        ({"max_shelve_s": 59.0}, "engineer", "bad_arguments"),
        ({"max_shelve_s": 60.0}, "operator", "ok"),
    ],
)
def test_an_alarm_point_says_who_may_shelve_it_and_for_how_long(changes, role, code):
    heated = plant(**changes)
    heated.run(15, hot)
    arguments = {"duration_s": 60}
    assert heated.order("shelve", NAME, role=role, arguments=arguments).code == code


def test_an_alarm_out_of_service_is_tracked_and_told_when_it_is_back(heated):
    answer = heated.order("out_of_service", NAME, role="engineer", arguments=WORK)
    assert answer.detail == "now OOSRV"
    record = heated.record(NAME)
    out = record.out_of_service
    assert (out.by, out.reason, out.work_order) == ("li.wei", "new lining", "WO-7")
    assert (record.suppressed, record.retain) == (["out_of_service"], False)
    for refused in ("ack", "reset", "shelve", "out_of_service"):
        arguments = {"duration_s": 60, **WORK}
        answer = heated.order(
            refused, NAME, role="engineer", arguments=arguments,
            expected_event_id=heated.record(NAME).event_id,
        )  # fmt: skip
        assert answer.code == "wrong_state", refused
    assert told(heated.run(30, cool)) == [("CLEAR", "OOSRV")]
    assert told(heated.run(15, hot)) == [("RAISE", "OOSRV")]
    heated.take_over()
    assert heated.order("in_service", NAME, role="engineer").detail == "now UNACK"
    assert heated.record(NAME).out_of_service is None


def test_a_shelving_runs_out_unheard_while_the_alarm_is_out_of_service(heated):
    heated.shelve(NAME, 20)
    heated.order("out_of_service", NAME, role="engineer", arguments=WORK)
    assert heated.record(NAME).suppressed == ["out_of_service", "shelved"]
    assert told(heated.run(30, hot)) == [("CLOCK", "OOSRV")]
    assert heated.order("in_service", NAME, role="engineer").detail == "now UNACK"


def test_the_plants_logic_may_suppress_until_it_says_otherwise(heated):
    assert heated.order("suppress", NAME, role="engineer").detail == "now DSUPR"
    assert heated.order("suppress", NAME, role="engineer").code == "wrong_state"
    assert heated.record(NAME).suppressed == ["commanded"]
    assert told(heated.run(30, cool)) == [("CLEAR", "DSUPR")]
    heated.take_over()
    assert told(heated.run(15, hot)) == [("RAISE", "DSUPR")]
    assert heated.order("unsuppress", NAME, role="engineer").detail == "now UNACK"
    assert heated.order("unsuppress", NAME, role="engineer").code == "wrong_state"
