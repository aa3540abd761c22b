"""Killed at any moment, a manager's successor goes on as if nothing had happened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.condition import MAX_SILENCE_RECORDS
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.score import Modality, WindowScore

from tests.support.examples import examples
from tests.unit.core.alarms.samples import (
    BOTH,
    FURNACE,
    command_fields,
    command_record,
    point,
    score,
    score_record,
    setpoint,
    window_end,
)
from tests.unit.core.alarms.topic_log import NOW_NS, SCORES, TopicLog, without_run

FURNACES = ("a/b/F1", "a/b/F2", "a/b/F3")
POINTS = {
    "a/b/F1": (
        point("a/b/F1"),
        point("a/b/F1", alarm_id="a/b/F1/HH", setpoint=setpoint(logit_on=5.0, on_delay_s=1.44)),
    ),
    "a/b/F2": (point("a/b/F2", reset_required=True, setpoint=setpoint(k=3, n=6)),),
}
EVERY_KIND = [6.0, 3.0, 1.0, -1.0, None]


@st.composite
def score_streams(draw):
    """Windows of three furnaces in one partition, some missing, some published twice."""
    length = draw(st.integers(1, 60))
    numbers = dict.fromkeys(FURNACES, 0)
    stream: list[WindowScore] = []
    for _ in range(length):
        furnace_id = draw(st.sampled_from(FURNACES))
        if stream and draw(st.integers(0, 9)) == 0:
            stream.append(draw(st.sampled_from(stream[-3:])))
            continue
        numbers[furnace_id] += draw(st.sampled_from([1, 1, 1, 1, 2, 5]))
        logit = draw(st.sampled_from(EVERY_KIND))
        modalities = draw(st.sampled_from([BOTH, BOTH, BOTH, (Modality.CURRENT,)]))
        stream.append(score(numbers[furnace_id], logit, furnace_id, modalities))
    return stream


def judge_with_deaths(stream, batches, deaths) -> TopicLog:
    """Judge a stream in batches; some end with a death before they are written."""
    log = TopicLog(points=POINTS)
    pipeline, offset = log.take_over(), 0
    while offset < len(stream):
        size, dies = next(batches), next(deaths)
        written = []
        for record_offset in range(offset, min(offset + size, len(stream))):
            written += pipeline.handle_record(
                score_record(stream[record_offset], record_offset), NOW_NS
            )
        offset += size
        if dies:
            pipeline = log.take_over()
            commit = log.commits[SCORES]
            offset = commit.offset if commit else 0
        else:
            log.write(written, pipeline)
    return log


@examples(20)
@given(score_streams(), st.data())
def test_a_manager_that_dies_at_any_moment_loses_no_transition_and_repeats_none(stream, data):
    sizes = iter(lambda: data.draw(st.integers(1, 8)), None)
    deaths = iter(data.draw(st.lists(st.booleans(), max_size=8)) + [False] * 10_000)
    disturbed = judge_with_deaths(stream, sizes, deaths).alarms()
    calm = judge_with_deaths(stream, iter([len(stream)] * 2), iter([False] * 2)).alarms()
    assert [without_run(record) for record in disturbed] == [without_run(r) for r in calm]


@examples(10)
@given(score_streams(), st.data())
def test_epoch_and_seq_only_ever_grow(stream, data):
    sizes = iter(lambda: data.draw(st.integers(1, 8)), None)
    deaths = iter(data.draw(st.lists(st.booleans(), max_size=8)) + [False] * 10_000)
    numbers = [(r.epoch, r.seq) for r in judge_with_deaths(stream, sizes, deaths).alarms()]
    assert numbers == sorted(set(numbers))


def test_the_commit_stays_at_the_first_window_of_a_running_delay():
    log = TopicLog()
    log.judge([score(0, -1.0), score(1, 3.0), score(2, 3.0), score(3, 3.0)])
    commit = log.commit(SCORES)
    assert (commit.offset, commit.position) == (1, 4)


def test_without_a_delay_the_commit_stays_at_the_newest_window_of_each_furnace():
    log = TopicLog()
    log.judge([score(0, -1.0), score(0, -1.0, "a/b/F1"), score(1, -1.0), score(2, -1.0)])
    assert log.commit(SCORES).offset == 1


def test_a_silent_furnace_does_not_hold_the_commit_back_for_ever():
    log = TopicLog()
    pipeline = log.judge([score(0, 3.0, "a/b/F1"), score(0, -1.0)])
    assert log.commit(SCORES).offset == 0
    late = MAX_SILENCE_RECORDS + 5
    log.write(pipeline.handle_record(score_record(score(1, -1.0), late), NOW_NS), pipeline)
    assert log.commit(SCORES).offset == late


def test_windows_before_a_silence_are_not_known_again_whether_or_not_somebody_died():
    silence = MAX_SILENCE_RECORDS + 5
    for dies in (False, True):
        log = TopicLog()
        pipeline = log.judge([score(number, 3.0) for number in range(10, 12)])
        log.write(
            pipeline.handle_record(score_record(score(0, -1.0, "a/b/F1"), silence), 0), pipeline
        )
        if dies:
            pipeline = log.take_over()
        written = []
        for offset, number in enumerate(range(4), silence + 1):
            written += pipeline.handle_record(score_record(score(number, 3.0), offset), NOW_NS)
        log.write(written, pipeline)
        assert [record.condition_time for record in log.alarms()] == [utc_from_ns(window_end(0))]


def test_windows_that_led_to_a_clear_do_not_vote_again_for_a_raise():
    votes, waiting = point(setpoint=setpoint(k=3, n=30)), setpoint(on_delay_s=86_400)
    log = TopicLog(points={FURNACE: (votes,), "a/b/F1": (point("a/b/F1", setpoint=waiting),)})
    highs, lows = [score(n, 3.0) for n in range(3)], [score(n, -3.0) for n in range(3, 10)]
    scores = [score(0, 3.0, "a/b/F1"), *highs, *lows]
    log.judge(scores)
    assert (log.commit(SCORES).offset, log.alarms()[-1].state) == (0, "RTNUN")
    successor = log.take_over()
    for offset, made in enumerate(scores):
        successor.handle_record(score_record(made, offset), NOW_NS)
    assert successor.handle_record(score_record(score(10, 3.0), 11), NOW_NS) == []


def test_scores_that_are_read_again_from_the_beginning_repeat_no_alarm():
    scores = [score(n, 3.0) for n in range(5)] + [score(n, -3.0) for n in range(5, 13)]
    log = TopicLog()
    log.judge(scores)
    log.commits = dict.fromkeys(log.commits)
    log.judge(scores)
    assert [record.transition.cause for record in log.alarms()] == ["RAISE", "CLEAR"]


def test_a_topic_that_was_made_anew_is_judged_from_its_beginning():
    log = TopicLog()
    log.judge([score(number, -1.0) for number in range(50)])
    pipeline = log.take_over()
    pipeline.begin_reign(log.commits, dict.fromkeys(log.commits, range(0)))
    written = []
    for offset in range(5):
        written += pipeline.handle_record(score_record(score(100 + offset, 3.0), offset), NOW_NS)
    assert len(written) == 1


@pytest.mark.parametrize("furnace_id", [FURNACE, "x/y"])
def test_the_epoch_is_above_all_that_was_committed_though_nothing_was_written(furnace_id):
    log = TopicLog()
    for epoch in (1, 2, 3):
        pipeline = log.judge([score(epoch, -1.0, furnace_id)], begin=epoch)
        assert log.commit(SCORES).epoch == epoch
    assert log.alarms() == []
    assert pipeline.commits()[SCORES].position == 4


def test_a_decommissioned_alarm_begins_anew_behind_its_end_whoever_leads() -> None:
    """What was judged before the end is read again by a successor, and counts no more."""
    delayed = point(setpoint=setpoint(on_delay_s=4.0))
    raises = []
    for is_succeeded in (False, True):
        log = TopicLog(points={FURNACE: (delayed,)})
        pipeline = log.judge([score(number, 3.0) for number in range(6)])
        end = command_fields("decommission", arguments={"reason": "a new shell"}, role="engineer")
        log.write(pipeline.handle_record(command_record(end), NOW_NS), pipeline)
        pipeline = log.take_over() if is_succeeded else pipeline
        begin = log.commit(SCORES).offset if is_succeeded else 6
        written = []
        for offset in range(begin, 16):
            written += pipeline.handle_record(score_record(score(offset, 3.0), offset), NOW_NS)
        log.write(written, pipeline)
        raises.append([r.condition_time for r in log.alarms() if r.transition.cause == "RAISE"])
    assert raises[0] == raises[1]
    assert raises[0][1] == utc_from_ns(window_end(6))


@pytest.mark.parametrize("high", [1, 3, 6])
@pytest.mark.parametrize("successors", [0, 1, 2])
def test_what_was_judged_before_an_end_counts_for_no_successor(high: int, successors: int) -> None:
    """Also of one that dies before the next window; a take-over reads history before commands."""
    delayed = point(setpoint=setpoint(on_delay_s=4.0))
    log = TopicLog(points={FURNACE: (delayed,)})
    logits = [-3.0] * 6 + [3.0] * high
    pipeline = log.judge([score(number, logit) for number, logit in enumerate(logits)])
    remark = command_fields("shelve", arguments={"duration_s": 60.0, "reason": "noise"})
    log.write(pipeline.handle_record(command_record(remark), NOW_NS), pipeline)

    def succeeded():
        pipeline = log.take_over()
        for offset in range(log.commit(SCORES).offset, len(logits)):
            record = score_record(score(offset, logits[offset]), offset)
            assert pipeline.handle_record(record, NOW_NS) == []
        return pipeline

    pipeline = succeeded()
    end = command_fields("decommission", arguments={"reason": "a new shell"}, role="engineer")
    log.write(pipeline.handle_record(command_record(end, 1), NOW_NS), pipeline)
    for _ in range(successors):
        pipeline = succeeded()
    written = []
    for offset in range(len(logits), len(logits) + 10):
        written += pipeline.handle_record(score_record(score(offset, 3.0), offset), NOW_NS)
    log.write(written, pipeline)
    assert log.alarms()[-1].transition.cause == "RAISE"
    assert log.alarms()[-1].condition_time == utc_from_ns(window_end(len(logits)))
