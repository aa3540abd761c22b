from itertools import accumulate, cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_cli.domain.watch import Furnaces, Vigil, WatchView
from meltwatch_schemas.alarm import Heartbeat
from meltwatch_schemas.alarm_board import STALE_AFTER_S

from tests.support.timed_records import NOON

FRESH = WatchView(Furnaces(12, 0, 3.0), 2.0)
Looks = list[tuple[int, bool]]
"""Seconds since the look before, and whether a heartbeat has come."""

looks_at_will = st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=40)


def beat(watched: int | None = 12, blind: int | None = 0) -> Heartbeat:
    return Heartbeat(
        service="alarm_manager", epoch=1, seq=1, active_alarms=0, at=NOON,
        watched=watched, blind=blind,
    )  # fmt: skip


def turns(looks: Looks) -> list[list[str]]:
    vigil, times = (
        Vigil(0.0, WatchView(FRESH.furnaces, 0.0)),
        accumulate(after for after, _ in looks),
    )
    return [
        vigil.turns(now_s, [beat()] if is_heard else [])
        for now_s, (_, is_heard) in zip(times, looks, strict=True)
    ]


@pytest.mark.parametrize(
    ("watch", "alarms", "sentence"),
    [
        (FRESH, 0, "no alarms; 12 furnaces watched, 0 blind; as of 2.0 s ago"),
        (FRESH, 1, "1 alarm (1 not acknowledged); 12 furnaces watched, 0 blind; as of 2.0 s ago"),
        (
            WatchView(Furnaces(1, 1), 0.0),
            0,
            "no alarms; 1 furnace watched, 1 BLIND; as of 0.0 s ago",
        ),
        (
            WatchView(Furnaces(), 1.0),
            0,
            "no alarms; watched: unknown, the alarm manager does not say; as of 1.0 s ago",
        ),
    ],
)
def test_a_list_says_how_many_are_watched(watch, alarms, sentence):
    assert watch.sentence(alarms, alarms) == sentence
    assert not watch.is_stale


@pytest.mark.parametrize(
    ("watch", "words"),
    [
        (WatchView(Furnaces(12, 0), 15.0), "STALE: no heartbeat for 15 s"),
        (WatchView(), "STALE: no heartbeat within a day"),
        (
            WatchView(FRESH.furnaces, 1.0, "Kafka is away"),
            "cannot tell whether the list is current",
        ),
    ],
)
def test_a_list_that_may_be_old_never_says_that_there_are_no_alarms(watch, words):
    sentence = watch.sentence(0, 0)

    assert watch.is_stale
    assert words in sentence
    assert "no alarms" not in sentence
    assert watch.as_object()["stale"] is True


def test_a_manager_that_is_heard_is_not_spoken_of():
    assert turns([(5, True)] * 20) == [[]] * 20


def test_silence_is_told_once_and_so_is_its_end():
    said = turns([(5, True), *[(5, False)] * 5, (1, True), (5, True)])
    assert [len(lines) for lines in said] == [0, 0, 0, 1, 0, 0, 1, 0]
    assert said[3][0].startswith("STALE: no heartbeat for 15 s")
    assert said[6] == ["live again after 26 s without a heartbeat; 12 furnaces watched, 0 blind"]


def test_what_was_stale_before_the_first_look_is_not_told_again():
    vigil = Vigil(0.0, WatchView())
    assert vigil.turns(20.0, []) == []
    assert vigil.turns(21.0, [beat(None, None)])[0].startswith("live again")


def test_every_change_of_what_is_watched_is_told():
    vigil = Vigil(0.0, FRESH)
    assert vigil.turns(1.0, [beat()]) == []
    assert vigil.turns(6.0, [beat(), beat(12, 2)]) == [
        "12 furnaces watched, 2 BLIND (before: 12 furnaces watched, 0 blind)"
    ]
    assert vigil.turns(11.0, [beat(12, 2)]) == []


@given(looks_at_will)
def test_a_list_is_called_stale_exactly_while_the_manager_is_not_heard(looks):
    silent_s, is_stale, words = 0, False, cycle(["STALE", "live again"])
    for (after, is_heard), lines in zip(looks, turns(looks), strict=True):
        silent_s = 0 if is_heard else silent_s + after
        should_be_stale = not is_heard and (is_stale or silent_s >= STALE_AFTER_S)
        assert bool(lines) == (should_be_stale != is_stale)
        assert all(line.startswith(next(words)) for line in lines)
        is_stale = should_be_stale
