from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_cli.domain.alarm_wording import list_lines, page, probability_text, time_left
from meltwatch_cli.domain.columns import width_of
from meltwatch_schemas.alarm import AlarmRecord, AlarmState, NoveltyEvidence
from meltwatch_schemas.alarm_list import named

from tests.support.timed_records import NOON, alarm_record

CHINA = timezone(timedelta(hours=8))
LEVELS = st.text("AZaz09._-", min_size=1, max_size=64).filter(lambda level: level.strip("."))
IDS = st.lists(LEVELS, min_size=2, max_size=3).map("/".join)


def lines(width: int | None, *alarms: AlarmRecord, after_s: float = 60.0) -> list[str]:
    return list_lines(alarms, NOON + timedelta(seconds=after_s), width, CHINA)


def test_an_operator_sees_what_since_when_how_long_and_what_to_do():
    alarm = alarm_record("demo/smelting-1/FMF-01/OVERHEAT")

    assert lines(80, alarm) == [
        "STATE    PRIORITY  SINCE                      TO RESPOND  PROBABILITY (SCORE)",
        "▲ UNACK  high      2026-11-22 20:00:00+08:00  4 min left  95.69 % (3.10)",
        "  demo/smelting-1/FMF-01/OVERHEAT",
        "    The shell may be glowing.",
        "    do: Lower the electrode current.",
        f"    to acknowledge: --event-id {alarm.event_id}",
    ]
    assert lines(120, alarm)[1].endswith("95.69 % (3.10)       demo/smelting-1/FMF-01/OVERHEAT")


def test_times_are_told_in_the_zone_of_the_plant_by_its_name():
    shanghai = alarm_record(time_zone="Asia/Shanghai")
    said = {"state": "ACKED", "ack_time": NOON, "ack_by": "li"}
    berlin = alarm_record("f/OVERHEAT", time_zone="Europe/Berlin", **said)

    heading, row, *_ = list_lines([shanghai], NOON, 80)
    assert "  SINCE (Asia/Shanghai)  " in heading
    assert " 2026-11-22 20:00:00+08:00 " in row
    assert "(" not in list_lines([shanghai, berlin], NOON, 80)[0].replace("(SCORE)", "")
    assert any(
        "by li at 2026-11-22 13:00:00+01:00" in line for line in list_lines([berlin], NOON, 80)
    )
    text = "\n".join(page(berlin, [berlin], NOON))
    assert "in the plant's time zone, Europe/Berlin" in text
    assert "2026-11-22 13:00:01+01:00  RAISE" in text


@pytest.mark.parametrize("state", ["LATUN", "LATAK", "RTNUN"])
def test_a_latched_alarm_says_how_it_is_reset(state):
    alarm = alarm_record(state=state, latched=state != "RTNUN")
    step = f"to reset: meltwatch alarms reset {alarm.alarm_id} --event-id {alarm.event_id}"
    assert (step in page(alarm, [], NOON)) == (state != "RTNUN")
    assert any("to reset: --event-id" in line for line in lines(80, alarm)) == (state != "RTNUN")


@pytest.mark.parametrize(
    "name", ["Asia", "../etc/passwd", "/etc/passwd", "Mars/Olympus", "x" * 900]
)
def test_a_zone_that_is_none_is_passed_over(name):
    assert lines(80, alarm_record(time_zone=name)) == lines(80, alarm_record())


@given(
    st.lists(IDS, min_size=1, max_size=3, unique=True), st.one_of(st.none(), st.integers(20, 200))
)
def test_no_id_is_ever_broken_and_a_pipe_gets_no_line_folded(ids, width):
    alarms = [alarm_record(alarm_id, message="word " * 60) for alarm_id in ids]

    shown = lines(width, *alarms)

    for alarm_id in ids:
        assert any(line.endswith(alarm_id) for line in shown)
    tokens = {alarm.event_id for alarm in alarms}
    assert tokens == {line.split()[-1] for line in shown if "--event-id" in line}
    if width is None:
        assert len(shown) == 1 + 4 * len(ids)
    elif width >= 80:
        ids_lines = {f"  {alarm_id}" for alarm_id in ids}
        assert all(width_of(line) <= width for line in shown if line not in ids_lines)


@pytest.mark.parametrize("state", list(AlarmState))
def test_every_state_has_a_row_and_a_page_that_name_it(state):
    alarm = alarm_record(state=state, raise_time=None)

    assert f" {state} " in lines(120, alarm)[1]
    assert any(f" {state}: " in line for line in page(alarm, [], NOON))


@pytest.mark.parametrize(
    ("state", "after_s", "expected"),
    [
        ("UNACK", 0, "5 min left"),
        ("ACKED", 290, "10 s left"),
        ("UNACK", 480, "overdue 3 min"),
        ("RTNUN", 480, "-"),
        ("SHLVD", 480, "-"),
    ],
)
def test_the_time_to_respond_runs_while_the_condition_holds(state, after_s, expected):
    assert time_left(alarm_record(state=state), NOON + timedelta(seconds=after_s)) == expected


def test_who_put_an_alarm_aside_and_until_when_stands_in_the_list_and_on_the_page():
    shelve = {"until": NOON, "by": "li", "reason": "chattering", "one_shot": True}
    out = {"since": NOON, "by": "chen", "reason": "new lining", "work_order": "WO-7"}
    alarm = alarm_record(state="OOSRV", shelve=shelve, out_of_service=out)
    for shown in (lines(200, alarm), page(alarm, [], NOON)):
        text = "\n".join(shown)
        assert "or the next return to normal by li: chattering" in text
        assert "by chen: new lining (work order WO-7)" in text


def test_what_has_gone_unseen_is_not_acknowledged():
    text = "\n".join(page(alarm_record("f/A", "RTNUN"), [], NOON))

    assert "the condition has gone, not acknowledged" in text
    token = alarm_record("f/A").event_id
    assert f"to acknowledge: meltwatch alarms ack f/A --event-id {token}" in text
    assert "to acknowledge" not in "\n".join(page(alarm_record("f/A", "ACKED"), [], NOON))


@pytest.mark.parametrize("score", [1e308, -1e308, 0.0, None])
def test_any_logit_has_a_probability(score):
    alarm = alarm_record()
    evidence = alarm.evidence.model_copy(update={"score": score})

    text = probability_text(alarm.model_copy(update={"evidence": evidence}))

    assert text == "-" if score is None else text.startswith(("100 %", "50 %", "7.1"))


def test_a_system_alarm_has_no_probability():
    assert probability_text(alarm_record("f/VIDEO_LOST", **{"class": "system"})) == "-"


def test_an_alarm_is_named_by_its_last_levels():
    alarms = [alarm_record(name) for name in ("a/F-1/HOT", "b/F-1/HOT", "b/F-11/HOT", "F-1/HOT")]

    def found(name):
        return [alarm.alarm_id for alarm in named(alarms, name)]

    assert found("b/F-1/HOT") == ["b/F-1/HOT"]
    assert found("F-1/HOT") == ["F-1/HOT"], "the whole id goes before the end of others"
    assert found("F-11/HOT") == ["b/F-11/HOT"]
    assert found("HOT") == sorted(alarm.alarm_id for alarm in alarms)
    assert found("OT") == []
    assert found("") == []


@pytest.mark.parametrize(("acked", "said"), [(False, "not acknowledged"), (True, "acknowledged")])
def test_putting_an_alarm_aside_acknowledges_nothing(acked: bool, said: str):
    text = "\n".join(page(alarm_record("f/A", "SHLVD", acked=acked), [], NOON))

    assert f"the condition has gone, {said}" in text


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"current": 3.5}, "surprise         currents 3.50"),
        ({"video": 4.0, "row": 7, "column": 4}, "surprise         picture 4.00 (lower middle)"),
        ({"video": 4.0, "current": 1.0}, "surprise         picture 4.00, currents 1.00"),
        ({}, "surprise         unknown"),
    ],
)
def test_the_page_of_a_novelty_tells_surprise_set_point_and_portrait(seen, said):
    alarm = alarm_record("demo/smelting-1/FMF-01/NOVELTY")
    novelty = NoveltyEvidence(portrait="a" * 64, **seen)
    told = {"score": None, "novelty": novelty, "novelty_on": 3.0, "novelty_off": 2.5}
    alarm = alarm.model_copy(update={"evidence": alarm.evidence.model_copy(update=told)})
    lines = page(alarm, [], NOON)

    assert said in lines
    assert any("raises at 3.00, clears below 2.50; revision " in line for line in lines)
    assert f"portrait         {'a' * 64}" in lines
    assert not any(line.startswith(("probability", "model")) for line in lines)
    assert probability_text(alarm) == "-"
