"""From scores and alarms to the spans of their traces."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_chassis.tracing import begin_trace, trace_id
from meltwatch_cli.domain.trace_spans import is_chosen, spans_of_alarm, spans_of_score
from meltwatch_schemas.score import ScoreTimes
from meltwatch_schemas.trace_ids import TraceIds, ids_of

from tests.support.builders import alarm_record, window_score

IDS = TraceIds("a" * 32, "1" * 16, "01")
TIMES = ScoreTimes(900, 1_000, 2_000, 3_000, 4_000)


def told(spans):
    return [(span.name, span.start_ns, span.end_ns) for span in spans]


def test_a_windows_way_is_told_step_by_step():
    spans = spans_of_score(replace(window_score(), times=TIMES), IDS)
    assert told(spans) == [
        ("window", 1_000, 4_000),
        ("join", 1_000, 2_000),
        ("score", 2_000, 3_000),
        ("publish", 3_000, 4_000),
    ]
    assert (spans[0].span_id, spans[0].parent_id) == (IDS.span_id, None)
    assert {(span.trace_id, span.parent_id) for span in spans[1:]} == {(IDS.trace_id, IDS.span_id)}
    assert len({span.span_id for span in spans}) == 4


def test_what_is_unscored_has_no_scoring():
    spans = spans_of_score(replace(window_score(), times=replace(TIMES, scored_ns=None)), IDS)
    assert told(spans)[1:] == [("join", 1_000, 2_000), ("publish", 2_000, 4_000)]


@given(
    last=st.integers(0, 2**62), joined=st.integers(0, 2**62),
    scored=st.none() | st.integers(0, 2**62), published=st.integers(0, 2**62),
)  # fmt: skip
def test_no_step_ends_before_it_begins_whatever_clocks_say(last, joined, scored, published):
    times = ScoreTimes(last, last, joined, scored, published)
    for span in spans_of_score(replace(window_score(), times=times), IDS):
        assert span.start_ns <= span.end_ns


def test_an_alarms_changes_hang_on_the_score_that_made_them():
    alarm = alarm_record()
    (first,) = spans_of_alarm(alarm, IDS)
    (again,) = spans_of_alarm(alarm, IDS)
    (other,) = spans_of_alarm(alarm.model_copy(update={"event_id": "f" * 32}), IDS)
    assert first == again
    assert (first.name, first.parent_id) == ("alarm", IDS.span_id)
    assert first.span_id != other.span_id
    assert first.end_ns >= first.start_ns


@pytest.mark.parametrize("cause", ["ACK", "SHELVE", "COMMENT", "REALARM"])
def test_what_people_do_with_an_alarm_is_no_step_of_a_window(cause):
    alarm = alarm_record(transition={"from": "UNACK", "to": "ACKED", "cause": cause})
    assert spans_of_alarm(alarm, IDS) == []


def test_an_alarm_from_a_clock_ahead_takes_no_negative_time():
    alarm = alarm_record()
    late = alarm.times.model_copy(update={"published": alarm.times.ingest - timedelta(hours=1)})
    (span,) = spans_of_alarm(alarm.model_copy(update={"times": late}), IDS)
    assert span.end_ns == span.start_ns


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 2**128 - 1))
def test_a_larger_share_has_all_of_a_smaller_one(one, other, number):
    ids = IDS._replace(trace_id=f"{number:032x}")
    least, most = sorted((one, other))
    assert is_chosen(ids, least) <= is_chosen(ids, most)
    assert (is_chosen(ids, 0.0), is_chosen(ids, 1.0)) == (False, True)


def test_a_context_is_read_as_it_was_written():
    context = begin_trace()
    ids = ids_of(context)
    assert ids is not None
    assert (ids.trace_id, ids.is_sampled, ids.context) == (trace_id(context), True, context)
    assert not ids_of(context[:-2] + "00").is_sampled


@pytest.mark.parametrize(
    "context", [None, "", "00", "00-" + "0" * 32 + "-" + "1" * 16 + "-01", "\x1b[31m", "01" * 400]
)
def test_what_is_no_context_has_no_ids(context):
    assert ids_of(context) is None
