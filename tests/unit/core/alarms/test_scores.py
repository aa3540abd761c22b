"""Raw score records: refusals, order, heartbeats, metrics."""

from dataclasses import replace

import pytest
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.alarms.manager.alarms import AlarmPipeline
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_schemas.alarm import Heartbeat
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from tests.unit.core.alarms.samples import PREFIX, score, score_record, window_end
from tests.unit.core.alarms.topic_log import COMMANDS, NOW_NS, POINTS, SCORES, TopicLog


def test_a_score_that_does_not_decode_is_set_aside_and_the_rest_goes_on():
    log = TopicLog()
    pipeline = log.take_over()
    spoilt = replace(score_record(score(0, 3.0), 0), value=b"\xc1")
    written = pipeline.handle_record(spoilt, NOW_NS)
    for offset in range(1, 5):
        written += pipeline.handle_record(score_record(score(offset, 3.0), offset), NOW_NS)
    log.write(written, pipeline)
    (letter,) = log.of(Topic.DEAD_LETTERS)
    headers = dict(letter.headers)
    assert (headers["dlq.error"], headers["dlq.offset"]) == (b"malformed", b"0")
    assert len(log.alarms()) == 1


def test_a_dead_letter_is_written_once_though_its_record_is_read_again():
    log = TopicLog()
    pipeline = log.take_over()
    spoilt = replace(score_record(score(1, 3.0), 1), value=b"\xc1")
    written = pipeline.handle_record(score_record(score(0, 3.0), 0), NOW_NS)
    log.write([*written, *pipeline.handle_record(spoilt, NOW_NS)], pipeline)
    successor = log.take_over()
    assert log.commit(SCORES).offset == 0
    assert successor.handle_record(score_record(score(0, 3.0), 0), NOW_NS) == []
    assert successor.handle_record(spoilt, NOW_NS) == []


def test_the_trace_of_a_score_goes_on_in_its_alarm():
    log = TopicLog()
    pipeline = log.take_over()
    written = []
    for offset in range(4):
        record = score_record(score(offset, 3.0), offset)
        traced = replace(record, headers=(*record.headers, ("traceparent", b"00-ab-cd-01")))
        written += pipeline.handle_record(traced, NOW_NS)
    log.write(written, pipeline)
    assert log.alarms()[0].traceparent == "00-ab-cd-01"


def test_a_heartbeat_tells_epoch_last_number_and_active_alarms():
    log = TopicLog()
    pipeline = log.judge([score(number, 3.0) for number in range(4)])
    heartbeat = Heartbeat.from_json(pipeline.heartbeat(NOW_NS).value or b"")
    assert (heartbeat.epoch, heartbeat.seq, heartbeat.active_alarms) == (1, 1, 1)


def test_annunciations_latency_and_active_alarms_are_measured():
    metrics = Metrics()
    pipeline = AlarmPipeline(MasterAlarmList({}), metrics, PREFIX)
    places = dict.fromkeys((SCORES, COMMANDS, POINTS))
    pipeline.begin_reign(places, dict.fromkeys(places, range(0)))
    published_ns = window_end(3) + 250_000_000
    pipeline.heartbeat(published_ns)
    for offset in range(4):
        pipeline.handle_record(score_record(score(offset, 3.0), offset), published_ns)
    pipeline.handle_record(replace(score_record(score(5, 3.0), 5), value=b""), published_ns)
    pipeline.heartbeat(published_ns)

    def value(name: str, **labels: str):
        return metrics.registry.get_sample_value(name, labels)

    assert value("meltwatch_alarm_annunciations_total", priority="high") == 1
    assert value("meltwatch_event_to_alarm_seconds_count") == 1
    assert value("meltwatch_event_to_alarm_seconds_sum") == 0.25
    assert value("meltwatch_alarms_active", priority="high", state="UNACK") == 1
    assert value("meltwatch_alarms_active", priority="high", state="NORM") == 0
    assert value("meltwatch_dead_letters_total", error="malformed") == 1
    assert value(
        "meltwatch_records_total", service="alarm_manager", topic="scores", outcome="judged"
    ) == 4  # fmt: skip


@pytest.mark.parametrize(
    ("began_s", "sent_late_s", "counts"),
    [(0, 0, 1), (14, 0, 1), (16, 0, 0), (3600, 0, 0), (0, 14, 1), (0, 16, 0), (-3600, 120, 0)],
)
def test_alarms_of_history_are_no_measure_of_how_long_we_take(
    began_s: int, sent_late_s: int, counts: int
):
    metrics = Metrics()
    pipeline = AlarmPipeline(MasterAlarmList({}), metrics, PREFIX)
    places = dict.fromkeys((SCORES, COMMANDS, POINTS))
    pipeline.begin_reign(places, dict.fromkeys(places, range(0)))
    pipeline.heartbeat(window_end(3) + began_s * NS_PER_S)
    now_ns = window_end(3) + max(began_s, sent_late_s, 0) * NS_PER_S
    for offset in range(4):
        made = score(offset, 3.0)
        sent_ns = made.window_end_ns + sent_late_s * NS_PER_S
        made = replace(made, times=replace(made.times, last_ingest_ns=sent_ns))
        pipeline.handle_record(score_record(made, offset), now_ns)

    value = metrics.registry.get_sample_value
    assert value("meltwatch_alarm_annunciations_total", {"priority": "high"}) == 1
    assert value("meltwatch_event_to_alarm_seconds_count") == counts
