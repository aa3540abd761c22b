"""What people read."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_notify_gateway.domain.call import Call, Notice, reading_order
from meltwatch_notify_gateway.domain.notice_text import message_of, trial_message
from meltwatch_schemas.alarm import AlarmRecord, NoveltyEvidence, Priority
from meltwatch_schemas.text import is_printable

from tests.support.examples import examples
from tests.unit.notify_gateway.samples import NOON, PREFIX, alarm


def notice_of(*records: AlarmRecord, reminded=()):
    calls = [Call.of(record, None) for record in records]
    return Notice(reading_order(calls), frozenset(reminded))


def test_a_message_says_what_where_since_how_bad_what_to_do_and_how_long_is_left():
    record = alarm(3, time_zone="Asia/Shanghai", display_url="https://hmi.plant.example/fmf-03")
    message = message_of(notice_of(record), NOON + timedelta(seconds=100), 2_000)
    assert message.title == "HIGH: dashiqiao/smelting-1/FMF-03 OVERHEAT: Furnace shell overheats"
    assert message.body.splitlines() == [
        "What: Anomaly score 3.1 at or above 2.0 for 4.3 s.",
        "Where: dashiqiao/smelting-1/FMF-03/OVERHEAT",
        "Since: 2025-06-15 23:06:40+08:00",
        "Score: 3.10, alarm from 2.00",
        "Do: Lower the electrode current.",
        "Time left: 3 min",
        "Display: https://hmi.plant.example/fmf-03",
    ]


def test_an_unknown_zone_is_utc_and_what_has_gone_says_so():
    record = alarm(
        3, 1, "RTNUN", time_zone="Mars/Base", quality="bad", quality_reasons=["no_video"]
    )
    body = message_of(notice_of(record, reminded=[record.event_id]), NOON, 2_000).body
    assert "Since: 2025-06-15 15:06:40+00:00" in body
    assert "State: returned to normal, not acknowledged" in body
    assert "Input: bad, no_video" in body
    assert "Time left" not in body


def test_a_flood_names_its_first_out_and_counts_the_rest():
    records = [
        alarm(number, raise_time=NOON + timedelta(seconds=number), priority=priority)
        for number, priority in enumerate([Priority.HIGH] * 19 + [Priority.CRITICAL])
    ]
    message = message_of(notice_of(*reversed(records), reminded=[records[1].event_id]), NOON, 5_000)
    assert message.title.startswith("CRITICAL: dashiqiao/smelting-1/FMF-00 OVERHEAT")
    assert message.title.endswith(" and 19 more alarms")
    lines = message.body.splitlines()
    first = lines.index("This was the first of 20 open alarms. The others:")
    assert lines[first + 1].startswith("- CRITICAL dashiqiao/smelting-1/FMF-19")
    assert lines[first + 2].endswith(", told before")
    assert lines[-1] == "… and 10 more alarms"


def test_imbalance_and_system_alarms_speak_of_no_score():
    evidence = alarm().evidence.model_copy(update={"imbalance": 0.31, "imbalance_on": 0.25})
    body = message_of(notice_of(alarm(1, evidence=evidence)), NOON, 2_000).body
    assert "Imbalance: 31.0% of the mean current, alarm from 25.0%" in body
    system = message_of(notice_of(alarm(1, **{"class": "system"})), NOON, 2_000).body
    assert "Score" not in system


def test_novelty_says_how_unlike_and_where():
    seen = {"portrait": "a" * 64, "video": 3.412, "current": 0.5, "row": 0, "column": 0}
    novelty = NoveltyEvidence.model_validate(seen)
    told = {"novelty_on": 3.0, "novelty_off": 2.5, "novelty": novelty, "score": None}
    evidence = alarm().evidence.model_copy(update=told)
    body = message_of(notice_of(alarm(1, evidence=evidence)), NOON, 2_000).body
    assert "Surprise: picture 3.41 (upper left), currents 0.50, alarm from 3.00" in body
    assert "Score" not in body
    never = evidence.model_copy(update={"novelty": None})
    body = message_of(notice_of(alarm(1, evidence=never)), NOON, 2_000).body
    assert "Surprise: unknown, alarm from 3.00" in body


def test_a_trouble_and_a_trial_are_told_as_what_they_are():
    call = Call(f"{PREFIX}/ALARM_PIPELINE_DOWN", "t", Priority.CRITICAL, NOON, words="No sign.")
    message = message_of(Notice([call]), NOON, 2_000)
    assert message.title == "CRITICAL: Meltwatch, alarm pipeline down"
    assert message.body.startswith("What: No sign.")
    trial = trial_message("mail", NOON)
    assert trial.title.startswith("TEST: no alarm")
    assert "Nothing is wrong" in trial.body


@examples(60)
@given(st.text(max_size=300), st.integers(1, 30), st.integers(60, 3_000))
@pytest.mark.filterwarnings("error")
def test_whatever_others_write_a_message_is_printable_and_bounded(text, count, longest):
    guidance = {"consequence": text, "action": text, "time_to_respond_s": 60}
    records = [
        alarm(n, title=text, message=text, guidance=guidance, display_url=text)
        for n in range(count)
    ]
    message = message_of(notice_of(*records), NOON, longest)
    assert len(message.title) + len(message.body) <= longest
    assert is_printable(message.title)
    assert all(map(is_printable, message.body.split("\n")))
