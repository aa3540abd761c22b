"""What somebody else writes where the manager alone may is noticed, kept, and put right."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.authorship import MAX_EPOCH, MAX_RANGES, Authorship
from meltwatch_core.alarms.commit_note import note_of
from meltwatch_core.alarms.manager.alarms import AlarmPipeline
from meltwatch_core.alarms.ports import Commit
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.topics import Topic
from structlog.testing import capture_logs

from tests.support.examples import examples
from tests.support.hostile_alarms import foreign_records
from tests.unit.core.alarms.samples import (
    ALARM_ID,
    FURNACE,
    command_fields,
    command_record,
    score,
    score_record,
)
from tests.unit.core.alarms.topic_log import (
    ALARMS,
    HEARTBEATS,
    NOW_NS,
    RESULTS,
    SCORES,
    TopicLog,
)

OFFSETS = st.lists(st.tuples(st.booleans(), st.integers(1, 3)), max_size=60)


@given(OFFSETS, st.data())
def test_whoever_looks_and_takes_over_whenever_tells_own_from_foreign_records(steps, data) -> None:
    """Own and foreign records in any order, with gaps of markers; looked at late or at once."""
    authorship, offset = Authorship(), -1
    written: list[tuple[int, bool]] = []
    looked = 0
    for is_own, gap in steps:
        offset += gap
        written.append((offset, is_own))
        if is_own:
            authorship.wrote(offset)
        if data.draw(st.booleans(), "takes over"):
            authorship = Authorship(authorship.checked, authorship.own)
        while looked < len(written) and data.draw(st.booleans(), "looks"):
            seen, was_own = written[looked]
            assert authorship.look_at(seen) == was_own
            looked += 1
    for seen, was_own in written[looked:]:
        assert authorship.look_at(seen) == was_own


@given(st.lists(st.lists(st.booleans(), max_size=5), max_size=20))
def test_transactions_with_foreign_records_in_and_between_them_are_told_apart(transactions) -> None:
    """Each ends in a marker; what else stands in between is foreign."""
    authorship, offset = Authorship(), 0
    written: list[tuple[int, bool]] = []
    for records in transactions:
        begins = True
        for is_own in records:
            written.append((offset, is_own))
            if is_own:
                authorship.wrote(offset, begins=begins)
                begins = False
            offset += 1
        offset += any(records)  # the marker
    for seen, was_own in written:
        assert authorship.look_at(seen) == was_own


def test_a_reader_that_lags_by_any_number_of_transactions_still_finds_what_is_foreign() -> None:
    """A transaction a record, as at the beginning of a reign, and none of them looked at yet."""
    authorship = Authorship()
    for number in range(10 * MAX_RANGES):
        authorship.wrote(2 * number + 2 * (number >= 30), begins=True)
    assert not authorship.is_own(60)
    assert authorship.is_own(0)
    assert len(authorship.own) == 2


def test_what_is_committed_about_a_topic_always_fits() -> None:
    authorship = Authorship(2**62)
    for number in range(10_000):
        authorship.wrote(2**62 + 3 * number)
    commit = Commit(2**62, 2**62, MAX_EPOCH, own=tuple(authorship.own))
    assert len(authorship.own) == MAX_RANGES
    assert len(note_of(commit)) < 4096


class Readers:
    """The topic's readers by the rule of the contract: greater (epoch, seq), or a tombstone."""

    def __init__(self, written: Sequence[OutgoingRecord]) -> None:
        self.alarms: dict[bytes, AlarmRecord] = {}
        for out in written:
            if out.topic is not Topic.ALARMS or out.key is None:
                continue
            if out.value is None:
                self.alarms.pop(out.key, None)
                continue
            try:
                record = AlarmRecord.from_json(out.value)
            except ValueError:
                continue
            known = self.alarms.get(out.key)
            if known is None or (record.epoch, record.seq) > (known.epoch, known.seq):
                self.alarms[out.key] = record


def raised() -> tuple[TopicLog, AlarmPipeline]:
    log = TopicLog()
    return log, log.judge([score(number, 6.0) for number in range(4)])


def forged(log: TopicLog) -> list[OutgoingRecord]:
    true_record = log.alarms()[-1].to_json()
    return [
        OutgoingRecord(hostile.topic, hostile.key, hostile.value, hostile.headers)
        for hostile in foreign_records(FURNACE, true_record, NOW_NS)
    ]


NAMES = [f"{h.topic}-{h.name}" for h in foreign_records(FURNACE, b'{"epoch": 1, "seq": 1}', 0)]


def see(log: TopicLog, pipeline: AlarmPipeline) -> None:
    """Let a pipeline read what it has not looked at of its own topics, as its loop does."""
    for place in (ALARMS, RESULTS, HEARTBEATS):
        begin = pipeline.commits()[place].position
        for record in log.read(place.topic, begin):
            written = pipeline.handle_record(record, NOW_NS)
            if written:
                log.write(written, pipeline)


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
@pytest.mark.parametrize("takes_over", [False, True], ids=["seen", "taken_over"])
def test_after_a_foreign_record_every_reader_has_the_truth_again(number, takes_over) -> None:
    log, pipeline = raised()
    see(log, pipeline)
    (truth,) = Readers(log.written).alarms.values()
    log.written.append(forged(log)[number])
    if takes_over:
        pipeline = log.take_over()
    with capture_logs() as said:
        see(log, pipeline)
    assert [line["event"] for line in said].count("foreign_writer") == 1
    found = Readers(log.written).alarms
    assert set(found) == {ALARM_ID.encode()}
    mine = found[ALARM_ID.encode()]
    assert (mine.state, mine.occurrence_id) == (truth.state, truth.occurrence_id)
    assert len(log.of(Topic.DEAD_LETTERS)) == 1
    heartbeats = [json.loads(out.value or b"") for out in log.of(Topic.HEARTBEATS)]
    assert mine.epoch <= heartbeats[-1]["epoch"]
    with capture_logs() as said:
        see(log, log.take_over())
    events = [line["event"] for line in said]
    assert "foreign_writer" not in events, "what was put right once is not foreign again"


def test_the_new_reign_is_above_the_forged_one_and_goes_on_from_the_truth() -> None:
    log, pipeline = raised()
    log.written.append(forged(log)[0])
    see(log, pipeline)
    restated = log.alarms()[-1]
    assert (restated.epoch, restated.transition.cause) == (1_000_000_000, "RESTATE")
    record = command_record(command_fields("ack", restated.event_id))
    log.write(pipeline.handle_record(record, NOW_NS), pipeline)
    acked = log.alarms()[-1]
    assert (acked.epoch, acked.state) == (1_000_000_000, "ACKED")
    assert log.take_over().commits()[ALARMS].epoch == 1_000_000_001


def test_a_claim_of_the_greatest_epoch_locks_nobody_out() -> None:
    log, pipeline = raised()
    forge = dict(zip(NAMES, forged(log), strict=True))
    for name in ("alarms-forged_at_the_top", "alarms-forged_beyond_int64") * 3:
        log.written.append(forge[name])
        pipeline = log.take_over()
        see(log, pipeline)
    (mine,) = Readers(log.written).alarms.values()
    assert (mine.state, mine.epoch < 100) == ("UNACK", True)


def test_one_forgery_between_two_transactions_is_not_taken_for_a_commit_marker() -> None:
    log = TopicLog()
    pipeline = log.take_over()
    forge = dict(zip(NAMES, forged(raised()[0]), strict=True))
    for number in range(4):
        record = score_record(score(number, 6.0), number)
        log.write(pipeline.handle_record(record, NOW_NS), pipeline)
        if number == 1:
            log.written.append(forge["alarms-forged_same_epoch"])
            see(log, pipeline)  # answered by a tombstone: there is no such alarm yet
        if number == 2:
            log.written.append(forge["alarms-forged_far_above"])
    see(log, pipeline)
    (mine,) = Readers(log.written).alarms.values()
    assert (mine.state, mine.epoch) == ("UNACK", 1_000_000_000)


@examples(20)
@given(st.data())
def test_any_forgeries_between_any_deaths_leave_the_truth(data) -> None:
    """Scores, commands, forged records and deaths in any order: as if nobody had forged."""
    log, calm = TopicLog(), TopicLog()
    pipeline, quiet = log.take_over(), calm.take_over()
    forge, sent = forged(raised()[0]), []
    for number in range(data.draw(st.integers(1, 25), "windows")):
        logit = data.draw(st.sampled_from([6.0, -6.0]), "logit")
        sent.append(score_record(score(number, logit), number))
        calm.write(quiet.handle_record(sent[-1], NOW_NS), quiet)
        log.write(pipeline.handle_record(sent[-1], NOW_NS), pipeline)
        log.written += data.draw(st.lists(st.sampled_from(forge), max_size=2), "forged")
        if data.draw(st.booleans(), "dies"):
            pipeline = log.take_over()
            for record in sent[log.commit(SCORES).offset :]:
                log.write(pipeline.handle_record(record, NOW_NS), pipeline)
        if data.draw(st.booleans(), "looks"):
            see(log, pipeline)
    see(log, pipeline)
    see(log, pipeline)
    truth = {record.alarm_id: (record.state, record.occurrence_id) for record in calm.alarms()}
    found = Readers(log.written).alarms.values()
    assert {record.alarm_id: (record.state, record.occurrence_id) for record in found} == truth
