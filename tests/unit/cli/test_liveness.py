from itertools import accumulate, cycle

from hypothesis import given
from hypothesis import strategies as st
from meltwatch_cli.domain.liveness import STALE_AFTER_S, Liveness

Looks = list[tuple[int, bool]]
"""Seconds since the look before, and whether a heartbeat has come."""

looks_at_will = st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=40)


def turns(looks: Looks) -> list[str | None]:
    liveness, times = Liveness(0.0), accumulate(after for after, _ in looks)
    return [
        liveness.turn(now_s, is_heard=is_heard)
        for now_s, (_, is_heard) in zip(times, looks, strict=True)
    ]


def test_a_manager_that_is_heard_is_not_spoken_of():
    assert turns([(5, True)] * 20) == [None] * 20


def test_silence_is_told_once_and_so_is_its_end():
    said = turns([(5, True), *[(5, False)] * 5, (1, True), (5, True)])
    assert [line is None for line in said] == [True] * 3 + [False] + [True] * 2 + [False, True]
    assert "got none for 15 s" in str(said[3])
    assert said[6] == "live again: the alarm manager was not heard for 26 s"


def test_a_manager_that_was_never_there_is_missed():
    assert [line is None for line in turns([(14, False), (1, False), (60, False)])] == [
        True,
        False,
        True,
    ]


@given(looks_at_will)
def test_a_list_is_called_stale_exactly_while_the_manager_is_not_heard(looks):
    silent_s, is_stale, words = 0, False, cycle(["STALE", "live again"])
    for (after, is_heard), line in zip(looks, turns(looks), strict=True):
        silent_s = 0 if is_heard else silent_s + after
        should_be_stale = not is_heard and (is_stale or silent_s >= STALE_AFTER_S)
        assert (line is not None) == (should_be_stale != is_stale)
        assert line is None or line.startswith(next(words))
        is_stale = should_be_stale
