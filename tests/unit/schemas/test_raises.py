"""Which raises of two runs are one occasion, and how the answer is said."""

from datetime import UTC, datetime, timedelta

import pytest
from meltwatch_schemas.raises import Raised, answer_of, raised_in

from tests.support.builders import ALARM, alarm_record

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
OTHER = "a/b/F2/OVERHEAT"


def at(second: float) -> datetime:
    return BEGIN + timedelta(seconds=second)


def raises(*seconds: float, lasts: float | None = 30.0, alarm_id: str = ALARM) -> list[Raised]:
    return [
        Raised(alarm_id, "high", f"o{second}", at(second), lasts and at(second + lasts))
        for second in seconds
    ]


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (
            (100, 300, 500), (110.1, 302.9, 504.3),
            "raises: 3 → 3; 10.1, 2.9, 4.3 s later; 0 more, 0 fewer",
        ),
        ((100, 300), (99, 300), "raises: 2 → 2; 1.0, 0.0 s sooner; 0 more, 0 fewer"),
        (
            (100, 300), (99, 302),
            "raises: 2 → 2; 1.0 s sooner, 2.0 s later; 0 more, 0 fewer",
        ),
        ((100, 300), (100, 300), "raises: 2 → 2; at the same instants; 0 more, 0 fewer"),
        ((100,), (300, 500), "raises: 1 → 2; 2 more, 1 fewer"),
        ((), (), "raises: 0 → 0; 0 more, 0 fewer"),
        (
            range(0, 600, 100), range(2, 602, 100),
            "raises: 6 → 6; median 2.0 s later (2.0 s later to 2.0 s later); 0 more, 0 fewer",
        ),
    ],
)  # fmt: skip
def test_the_answer_is_one_line(before, after, sentence):
    answer = answer_of(raises(*before), raises(*after))
    assert answer.sentence == sentence
    assert (answer.before, answer.after) == (len(before), len(after))


def test_raises_that_stand_at_the_same_time_are_one_occasion_however_far_apart():
    long = answer_of(raises(100, lasts=500), raises(580))
    assert (long.more, long.fewer, long.median_shift_s) == (0, 0, 480)
    endless = answer_of(raises(100, lasts=None), raises(580))
    assert (endless.more, endless.fewer) == (0, 0)
    short = answer_of(raises(100), raises(191))
    assert (short.more, short.fewer, short.median_shift_s) == (1, 1, None)


def test_a_minute_apart_is_still_one_occasion():
    assert answer_of(raises(100), raises(160)).more == 0
    assert answer_of(raises(100), raises(160.1)).more == 1


def test_each_raise_belongs_to_one_occasion():
    answer = answer_of(raises(100, lasts=200), raises(101, 150, 250))
    assert (answer.more, answer.fewer) == (2, 0)
    assert [each.shift_s for each in answer.occasions] == [1.0, None, None]


def test_alarms_are_not_mixed_up():
    answer = answer_of(raises(100), raises(100, alarm_id=OTHER))
    assert (answer.more, answer.fewer) == (1, 1)


def test_raises_come_from_process_alarms_alone():
    told = {"from": "NORM", "to": "UNACK", "cause": "RAISE"}
    over = {"from": "UNACK", "to": "RTNUN", "cause": "CLEAR"}
    records = [
        alarm_record(active=True, raise_time=at(7), transition=told),
        alarm_record(active=True, raise_time=at(7), transition=told | {"cause": "ACK"}),
        alarm_record(active=False, raise_time=at(7), clear_time=at(9), transition=over),
        alarm_record(active=True, raise_time=at(20), transition=told),
        alarm_record("a/b/F2/VIDEO_MISSING", active=True, transition=told, **{"class": "system"}),
    ]
    first, second = raised_in(records)
    assert (first.at, first.until) == (at(7), at(9))
    assert (second.at, second.until) == (at(20), None)
