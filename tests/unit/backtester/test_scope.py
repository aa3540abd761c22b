"""What of a history a span needs."""

from dataclasses import replace
from typing import Any

import pytest
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.errors import HistoryMissing
from meltwatch_backtester.pipeline.scope import ScopeOptions, scope_of
from meltwatch_backtester.ports import OffsetRange, Saved, TopicPart
from meltwatch_chassis.errors import BadUsage
from meltwatch_schemas import score as score_schema
from meltwatch_schemas.record import RawRecord, headers_for
from meltwatch_schemas.score import Cut, encode_score
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from tests.support.builders import window_score
from tests.support.history import HistoryInMemory

START_NS = 1_750_000_000 * NS_PER_S
EMBEDDINGS, CURRENTS, SCORES = (
    TopicPart(topic, 0) for topic in (Topic.EMBEDDINGS, Topic.CURRENTS, Topic.SCORES)
)
NAMES = {part: part.topic.under("meltwatch") for part in (EMBEDDINGS, CURRENTS, SCORES)}


def at(second: float) -> int:
    return START_NS + round(second * NS_PER_S)


SPAN = Span(at(1000), at(1100))


def a_record_a_second(part: TopicPart, first: int = 0, count: int = 2000) -> list[RawRecord]:
    """Offsets are seconds since the start."""
    return [
        RawRecord(NAMES[part], part.partition, second, at(second) // 10**6, b"f", b"", ())
        for second in range(first, count)
    ]


def a_score(offset: int, second: float, first: int | None, last: int | None, furnace="a/b/c"):
    cut = Cut(0, first, last)
    inputs = dict.fromkeys((NAMES[EMBEDDINGS], NAMES[CURRENTS]), cut)
    value = encode_score(window_score(at(second), furnace, inputs=inputs))
    headers = tuple(headers_for(score_schema.SCHEMA))
    time_ms = at(second) // 10**6
    return RawRecord(NAMES[SCORES], 0, offset, time_ms, furnace.encode(), value, headers)


def history(*scores: RawRecord, first: int = 0, **options: Any) -> HistoryInMemory:
    inputs = {part: a_record_a_second(part, first) for part in (EMBEDDINGS, CURRENTS)}
    return HistoryInMemory(inputs | {SCORES: list(scores)}, partitions=1, **options)


def scope(found: HistoryInMemory, **options: Any):
    return scope_of(found, SPAN, ScopeOptions(**options))


def test_without_scores_the_inputs_reach_a_look_back_around_the_span():
    assert scope(history())[EMBEDDINGS] == OffsetRange(1000 - 135, 1100 + 135)


def test_the_cuts_of_the_span_widen_what_is_read_of_the_inputs():
    found = scope(history(a_score(0, 1000, 700, 1400), a_score(1, 1099, 900, 1500)))

    assert found[EMBEDDINGS] == OffsetRange(700, 1501)
    assert found[SCORES] == OffsetRange(0, 2)


def test_scores_outside_the_span_widen_nothing():
    found = scope(history(a_score(0, 500, 3, 4), a_score(1, 1100, 5, 1600)))

    assert found[EMBEDDINGS] == OffsetRange(865, 1235)


def test_what_came_after_the_last_window_before_the_span_belongs_to_it():
    found = scope(history(a_score(0, 998, 3, 600), a_score(1, 999, 4, 700)))

    assert found[CURRENTS] == OffsetRange(701, 1235)


def test_where_nothing_had_come_before_the_span_all_belongs_to_it():
    assert scope(history(a_score(0, 999, None, None)))[CURRENTS].start == 0


def test_cuts_of_another_partition_say_nothing():
    score = window_score(at(1000), "a/b/c", inputs={NAMES[EMBEDDINGS]: Cut(1, 3, 4)})
    record = a_score(0, 1000, 3, 4)
    other = replace(record, value=encode_score(score))

    assert scope(history(other))[EMBEDDINGS] == OffsetRange(865, 1235)


def test_what_is_no_score_is_passed_over():
    strange = RawRecord(NAMES[SCORES], 0, 0, at(1000) // 10**6, b"f", b"no score", ())

    assert scope(history(strange))[EMBEDDINGS] == OffsetRange(865, 1235)


def test_alarms_are_taken_whole():
    part = TopicPart(Topic.ALARMS, 0)
    found = history(bounds={part: OffsetRange(5, 99)})

    assert scope(found)[part] == OffsetRange(5, 99)


def test_only_the_wanted_partitions_are_read():
    found = HistoryInMemory({}, partitions=3)
    read = scope_of(found, SPAN, ScopeOptions(frozenset({2})))

    assert {part.partition for part in read if part.topic is Topic.SCORES} == {2}


def test_offsets_that_the_scores_need_and_retention_has_deleted_are_a_gap():
    found = history(a_score(0, 1000, 700, 1400), first=800)

    expected = r"embeddings\.v1/0: the scores need offsets 700 to 1401, there are 800 to 2000"
    with pytest.raises(HistoryMissing, match=expected):
        scope(found)
    assert scope(found, partial=True)[EMBEDDINGS] == OffsetRange(800, 1401)


def test_without_scores_a_history_that_begins_too_late_is_a_gap():
    with pytest.raises(HistoryMissing, match="retention has deleted records below offset 900"):
        scope(history(first=900))


def test_scores_know_better_than_the_clock_whether_something_is_gone():
    assert scope(history(a_score(0, 1000, 900, 1000), first=900))[EMBEDDINGS].start == 900


def test_a_recording_gives_its_own_span_and_partitions_alone():
    found = history(first=900)
    found.saved = Saved(Span(at(990), at(1100)), frozenset({0}))

    assert scope(found)[EMBEDDINGS] == OffsetRange(900, 1235)
    with pytest.raises(BadUsage, match=r"the recording holds 20.*, asked for was 20"):
        scope_of(found, Span(at(980), at(1000)), ScopeOptions())
    with pytest.raises(BadUsage, match=r"holds partitions \[0\], asked for was \[4\]"):
        scope(found, partitions=frozenset({0, 4}))


def test_each_score_that_is_looked_at_is_told():
    told: list[None] = []
    scope(history(a_score(0, 999, 1, 2)), on_score=lambda: told.append(None))

    assert len(told) == 1
