"""What people find out about an alarm is recorded, and what is gone from the plant can leave."""

import pytest
from meltwatch_schemas.alarm import AlarmRecord, AlarmVerdict, EarlierOccurrence, MissedSpan
from meltwatch_schemas.topics import Topic

from tests.unit.core.alarms.samples import ALARM_ID, FURNACE, command_fields, score, score_record
from tests.unit.core.alarms.test_commands import Desk
from tests.unit.core.alarms.topic_log import NOW_NS, TopicLog

MISSED = {"from": "2026-02-28T10:00:00.000000Z", "to": "2026-02-28T10:05:00.000000Z"}

EARLIER = MISSED | {"occurrence_id": "first"}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def verdict(**arguments: object) -> dict[str, object]:
    return command_fields("judge", comment=None, arguments=arguments)


def test_a_verdict_stands_in_the_record_until_the_next_occurrence(desk: Desk) -> None:
    answer = desk.order(verdict(verdict="false_alarm", cause="welding beside the shell"))
    record = desk.log.alarms()[-1]

    assert (answer.code, answer.event_id) == ("ok", record.event_id)
    assert (record.transition.cause, record.transition.by, record.state) == (
        "JUDGE", "li.wei", "UNACK",
    )  # fmt: skip
    assert record.judgement is not None
    assert record.judgement.verdict is AlarmVerdict.FALSE_ALARM
    assert (record.judgement.cause, record.judgement.by) == ("welding beside the shell", "li.wei")
    assert record.annunciation_id == desk.log.alarms()[0].event_id
    desk.lower()
    assert desk.log.alarms()[-1].judgement == record.judgement
    for number in range(11, 15):
        made = score_record(score(number, 3.0), number)
        desk.log.write(desk.pipeline.handle_record(made, NOW_NS), desk.pipeline)
    assert desk.log.alarms()[-1].transition.cause == "RAISE"
    assert desk.log.alarms()[-1].judgement is None


def test_a_successor_knows_the_verdict(desk: Desk) -> None:
    desk.order(verdict(verdict="unclear"))
    successor = Desk(desk.log)
    successor.order(command_fields("comment"))
    judgement = desk.log.alarms()[-1].judgement
    assert judgement is not None
    assert judgement.verdict is AlarmVerdict.UNCLEAR


@pytest.mark.parametrize("arguments", [{}, {"verdict": "true_alarm"}, {"verdict": "unclear"}])
def test_what_was_missed_has_a_span(desk: Desk, arguments: dict[str, str]) -> None:
    desk.lower()
    assert desk.order(verdict(missed=MISSED, **arguments)).code == "ok"
    judgement = desk.log.alarms()[-1].judgement
    assert judgement is not None
    assert judgement.verdict == arguments.get("verdict", "true_alarm")
    assert judgement.missed == MissedSpan.model_validate(MISSED)


def test_nothing_was_missed_while_the_alarm_stands(desk: Desk) -> None:
    assert desk.order(verdict(missed=MISSED)).code == "wrong_state"


def test_an_earlier_occurrence_is_judged_while_the_next_one_stands(desk: Desk) -> None:
    assert desk.order(verdict(verdict="false_alarm", earlier=EARLIER)).code == "ok"
    judgement = desk.log.alarms()[-1].judgement
    assert judgement is not None
    assert judgement.verdict is AlarmVerdict.FALSE_ALARM
    assert judgement.earlier == EarlierOccurrence.model_validate(EARLIER)


def test_the_newest_occurrence_is_no_earlier_one(desk: Desk) -> None:
    newest = EARLIER | {"occurrence_id": desk.log.alarms()[-1].occurrence_id}
    answer = desk.order(verdict(verdict="false_alarm", earlier=newest))
    assert answer.code == "bad_arguments"


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"earlier": EARLIER},
        {"verdict": "true_alarm", "earlier": MISSED},
        {"verdict": "true_alarm", "earlier": EARLIER | {"to": "2999-01-01T00:00:00Z"}},
        {"verdict": "true_alarm", "earlier": EARLIER, "missed": MISSED},
        {"verdict": "maybe"},
        {"verdict": ["true_alarm"]},
        {"verdict": None},
        {"verdict": "true_alarm", "cause": 7},
        {"verdict": "true_alarm", "cause": "x" * 2001},
        {"verdict": "true_alarm", "cause": "\x1b[2J"},
        {"verdict": "false_alarm", "missed": MISSED},
        {"missed": {}},
        {"missed": "yesterday"},
        {"missed": [MISSED]},
        {"missed": {"from": MISSED["to"], "to": MISSED["from"]}},
        {"missed": {"from": MISSED["from"], "to": MISSED["from"]}},
        {"missed": MISSED | {"from": "2026-01-01T00:00:00Z"}},
        {"missed": MISSED | {"to": "2999-01-01T00:00:00Z"}},
        {"missed": MISSED | {"to": "2026-02-28T10:05:00"}},
        {"missed": {"from": 1, "to": 2}},
        {"missed": {"from": "2026-03-01T02:59:00Z", "to": "2026-03-01T03:01:00Z"}},
    ],
)
def test_a_verdict_that_says_nothing_is_refused(desk: Desk, arguments: dict[str, object]) -> None:
    desk.lower()
    answer = desk.order(verdict(**arguments))
    assert answer.code == "bad_arguments"
    assert answer.detail.isprintable()


def decommission(**changes: object) -> dict[str, object]:
    reason = {"reason": "the furnace is torn down"}
    made = command_fields("decommission", comment=None, arguments=reason, role="engineer")
    return made | changes


def test_a_decommissioned_alarm_has_a_last_record_and_a_tombstone(desk: Desk) -> None:
    answer = desk.order(decommission())

    *_, last, grave = desk.log.of(Topic.ALARMS)
    record = AlarmRecord.from_json(last.value or b"")
    assert (grave.key, grave.value) == (ALARM_ID.encode(), None)
    assert (answer.code, answer.event_id) == ("ok", record.event_id)
    assert (record.state, record.active, record.retain) == ("NORM", False, False)
    told = record.transition
    assert (told.from_, told.cause, told.by) == ("UNACK", "DECOMMISSION", "li.wei")
    assert told.comment == "the furnace is torn down"


def test_of_a_decommissioned_alarm_nothing_is_left(desk: Desk) -> None:
    desk.order(decommission())
    for each in (desk, Desk(desk.log)):
        assert each.order(command_fields("comment")).code == "unknown_alarm"
        assert each.order(decommission()).code == "unknown_alarm"


def test_a_furnace_that_is_gone_from_the_plant_leaves_no_alarm_that_nobody_can_end() -> None:
    log = TopicLog(points={FURNACE: ()})
    log.judge([score(number, 3.0) for number in range(4)])
    log.points = {}  # taken out of plant.yaml
    desk = Desk(log)
    assert desk.order(decommission()).code == "ok"
    assert log.of(Topic.ALARMS)[-1].value is None


def test_what_still_burns_is_raised_again_after_it_was_decommissioned(desk: Desk) -> None:
    desk.order(decommission())
    for number in range(4, 9):
        made = score_record(score(number, 3.0), number)
        desk.log.write(desk.pipeline.handle_record(made, NOW_NS), desk.pipeline)
    last, before = desk.log.alarms()[-1], desk.log.alarms()[-2]
    assert (last.transition.cause, last.transition.from_) == ("RAISE", "NORM")
    assert (last.epoch, last.seq) > (before.epoch, before.seq)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"role": "operator"}, "not_permitted"),
        ({"arguments": {}}, "bad_arguments"),
        ({"arguments": {"reason": ""}}, "bad_arguments"),
        ({"arguments": {"reason": 7}}, "bad_arguments"),
    ],
)
def test_only_engineers_decommission_and_say_why(
    desk: Desk, changes: dict[str, object], code: str
) -> None:
    assert desk.order(decommission(**changes)).code == code
    assert desk.state == "UNACK"


def test_what_was_never_raised_has_nothing_to_end() -> None:
    desk = Desk(TopicLog(points={FURNACE: ()}))
    assert desk.order(decommission()).code == "wrong_state"


def test_what_was_missed_by_an_alarm_that_was_never_raised_is_recorded_too() -> None:
    desk = Desk(TopicLog(points={FURNACE: ()}))
    assert desk.order(verdict(verdict="true_alarm")).code == "wrong_state"
    assert desk.order(verdict(missed=MISSED)).code == "ok"
    (record,) = desk.log.alarms()
    assert (record.state, record.raise_time, record.retain) == ("NORM", None, False)
