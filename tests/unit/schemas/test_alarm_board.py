"""What an adapter knows does not depend on how often or in which order it was told."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.alarm import AlarmRecord, Heartbeat
from meltwatch_schemas.alarm_board import (
    HELD_S,
    AlarmBoard,
    AlarmTurn,
    HeldAlarms,
    PointBoard,
    Pulse,
)
from meltwatch_schemas.alarm_list import is_annunciation
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.json_message import KeyedMessage
from meltwatch_schemas.record import JSON, RawRecord, headers_for

from tests.support.builders import ALARM, FURNACE, alarm_point, alarm_record
from tests.support.timed_records import NOON

OTHER = f"{FURNACE}/CURRENT_IMBALANCE"


def raw(message: KeyedMessage, offset: int) -> RawRecord:
    key = getattr(message, message.key_field or "alarm_id").encode()
    headers = tuple(headers_for(message.schema_id, JSON))
    return RawRecord("t", 0, offset, 0, key, message.to_json(), headers)


def tombstone(alarm_id: str, offset: int) -> RawRecord:
    return RawRecord("t", 0, offset, 0, alarm_id.encode(), None)


def told(*records: RawRecord) -> dict[str, AlarmRecord]:
    board = AlarmBoard()
    for record in records:
        board.take(record)
    return dict(board.alarms)


TOPIC = (
    raw(alarm_record(seq=1), 0),
    raw(alarm_record(OTHER, seq=2), 1),
    raw(alarm_record(seq=3, state="ACKED", acked=True), 2),
    raw(alarm_record(seq=2, state="RTNUN"), 3),  # of a manager that is not the active one any more
    tombstone(ALARM, 5),
    raw(alarm_record(epoch=2, seq=1), 6),
    raw(alarm_record(OTHER, epoch=2, seq=2), 7),
    tombstone(OTHER, 8),
)
"""What stands in a topic: two alarms with tombstones, two epochs, and one stale record."""


@given(st.lists(st.sampled_from(TOPIC), max_size=20), st.permutations(TOPIC))
def test_duplicates_and_reordering_change_nothing(before, order):
    assert told(*before, *order) == told(*TOPIC) == {ALARM: alarm_record(epoch=2, seq=1)}


@given(st.integers(0, len(TOPIC)), st.integers(0, len(TOPIC)))
def test_who_comes_after_compaction_or_was_away_for_any_time_has_the_same_list(compacted, away):
    """Compaction leaves the last record of each key; a reader may have read some before."""
    lasts = {record.key: record for record in TOPIC[:compacted]}
    left = [each for each in TOPIC[:compacted] if lasts[each.key] is each]
    rest = [*left, *TOPIC[compacted:]]
    assert told(*rest) == told(*TOPIC)
    assert told(*TOPIC[:away], *(each for each in rest if each.offset >= away)) == told(*TOPIC)


def test_a_turn_tells_what_was_known_before():
    board = AlarmBoard()
    first, second = alarm_record(seq=1), alarm_record(seq=2, state="ACKED", acked=True)
    turns = [board.take(raw(first, 0)), board.take(raw(second, 1)), board.take(tombstone(ALARM, 2))]
    assert [(turn.before, turn.after) for turn in turns if turn] == [
        (None, first), (first, second), (second, None),
    ]  # fmt: skip


def test_a_record_of_a_replay_is_none_of_ours():
    assert told(raw(alarm_record(run_id="night-shift"), 0)) == {}


@pytest.mark.parametrize(
    "record",
    [
        replace(TOPIC[0], key=b"\xff"),
        replace(TOPIC[0], key=None),
        replace(TOPIC[0], value=b"{}"),
        replace(TOPIC[0], headers=()),
        replace(TOPIC[0], key=OTHER.encode()),
    ],
)
def test_what_is_no_alarm_record_is_refused_and_changes_nothing(record):
    board = AlarmBoard()
    with pytest.raises(ContractViolation):
        board.take(record)
    assert not board.alarms


def test_alarm_points_come_and_go():
    board = PointBoard()
    point = alarm_point()
    assert board.take(raw(point, 4)) == point.alarm_id
    assert board.take(tombstone(point.alarm_id, 3)) is None, "an older one that came late"
    assert board.points == {point.alarm_id: AlarmPoint.from_json(point.to_json())}
    assert board.take(tombstone(point.alarm_id, 5)) == point.alarm_id
    assert not board.points


def beat(**changes: object) -> RawRecord:
    fields = {"service": "alarm_manager", "epoch": 2, "seq": 1, "active_alarms": 0, "at": NOON}
    return raw(Heartbeat.model_validate(fields | changes), 0)


def test_silence_counts_from_the_last_beat_of_the_newest_manager():
    pulse = Pulse(10.0)
    assert pulse.silent_s(12.0) == 2.0
    assert pulse.take(beat(), 13.0)
    assert not pulse.take(beat(epoch=1), 14.0), "a manager that was paused and goes on"
    assert not pulse.take(beat(service="console"), 15.0)
    assert pulse.silent_s(16.0) == 3.0
    assert pulse.take(beat(epoch=3), 17.0)
    assert pulse.silent_s(17.0) == 0.0


def test_a_record_calls_the_operator_if_it_is_the_annunciation_that_it_names() -> None:
    record = alarm_record()
    for named, calls in ((record.event_id, True), ("0" * 32, False), (None, False)):
        assert is_annunciation(record.model_copy(update={"annunciation_id": named})) is calls


def test_what_topics_that_are_read_anew_lack_is_held_until_the_manager_had_time() -> None:
    before, points, held = AlarmBoard(), PointBoard(), HeldAlarms()
    first, second = alarm_record(seq=1), alarm_record(OTHER, seq=2)
    for offset, record in enumerate((first, second)):
        before.take(raw(record, offset))
    points.take(raw(alarm_point(), 0))
    held.keep(before, points)

    same = AlarmTurn(ALARM, None, first)
    assert held.seen(same) is None, "it was known so"
    assert held.gone(PointBoard(), 5.0, is_live=True) == ([], [])
    assert held.gone(PointBoard(), 5.0 + HELD_S - 1, is_live=True) == ([], [])
    assert held.gone(PointBoard(), 5.0 + HELD_S, is_live=False) == ([], []), "nobody writes"
    assert held.gone(PointBoard(), 6.0 + HELD_S, is_live=True) == ([], []), "time begins again"
    turns, names = held.gone(PointBoard(), 6.0 + 2 * HELD_S, is_live=True)
    assert turns == [AlarmTurn(OTHER, second, None)]
    assert names == [alarm_point().alarm_id]
    assert held.gone(PointBoard(), 99.0 + 2 * HELD_S, is_live=True) == ([], [])
    assert held.seen(AlarmTurn(OTHER, None, second)) == AlarmTurn(OTHER, None, second)
