"""Connecting, running, silent, waiting, and again."""

from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.window import NS_PER_S
from meltwatch_sources.domain.supervision import (
    LONGEST_WAIT_NS,
    REFUSED_WAIT_NS,
    Backoff,
    LiveState,
    Loss,
    StateChange,
    Supervision,
)


def waits(backoff: Backoff, times: int, chance: float) -> list[float]:
    return [backoff.wait_ns(chance) / NS_PER_S for _ in range(times)]


def test_waits_double_from_half_a_second_to_ten() -> None:
    assert waits(Backoff(), 7, 1.0) == [0.5, 1, 2, 4, 8, 10, 10]


@given(st.integers(1, 50), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_at_least_half_of_what_it_may_be(times: int, chance: float) -> None:
    longest, drawn = waits(Backoff(), times, 1.0), waits(Backoff(), times, chance)

    assert all(most / 2 <= wait <= most for most, wait in zip(longest, drawn, strict=True))


def test_a_life_of_a_source_is_a_line_a_change() -> None:
    source = Supervision(2 * NS_PER_S)
    told = [
        source.opening(0),
        source.delivered(1 * NS_PER_S),
        source.delivered(2 * NS_PER_S),
        source.looked(3 * NS_PER_S),
        source.looked(4 * NS_PER_S),
        source.looked(5 * NS_PER_S),
        source.delivered(6 * NS_PER_S),
        source.lost(Loss.ENDED, "the server closed", 7 * NS_PER_S, 1.0),
        source.opening(8 * NS_PER_S),
        source.lost(Loss.LOST, "no route", 9 * NS_PER_S, 1.0),
    ]

    assert [change.after.name for change in told if change] == [
        "RUNNING", "SILENT", "RUNNING", "WAITING",
    ]  # fmt: skip
    assert source.reconnects == 1


def test_attempts_in_vain_are_one_line_and_no_more() -> None:
    source = Supervision(2 * NS_PER_S)
    told: list[StateChange | None] = []
    for attempt in range(20):
        told += [
            source.opening(attempt * 20 * NS_PER_S),
            source.lost(Loss.LOST, "no route", (attempt * 20 + 1) * NS_PER_S, 0.5),
        ]

    assert [change.after.name for change in told if change] == ["WAITING"]
    assert source.state is LiveState.WAITING


def test_a_refused_login_waits_a_minute() -> None:
    source = Supervision(2 * NS_PER_S)
    source.opening(0)
    source.lost(Loss.REFUSED, "401", 1, 0.0)

    assert source.wait_ns == REFUSED_WAIT_NS


def test_a_source_that_ran_for_half_a_minute_begins_anew() -> None:
    source = Supervision(2 * NS_PER_S)
    for _ in range(8):
        source.opening(0)
        source.lost(Loss.LOST, "no route", 0, 1.0)
    assert source.wait_ns == LONGEST_WAIT_NS
    source.opening(0)
    for second in range(31):
        source.delivered(second * NS_PER_S)
    source.lost(Loss.LOST, "gone", 31 * NS_PER_S, 1.0)

    assert source.wait_ns == NS_PER_S // 2


def test_answers_without_a_value_are_silence_with_a_reason() -> None:
    source = Supervision(2 * NS_PER_S)
    source.opening(0)
    first = source.useless("busy", 0)
    assert first == StateChange(LiveState.CONNECTING, LiveState.SILENT, "busy")
    assert source.useless("busy", NS_PER_S) is None, "one line"
    source.delivered(2 * NS_PER_S)
    assert source.useless("busy", 3 * NS_PER_S) is None, "now and then it is no matter"
    assert source.useless("busy", 4 * NS_PER_S) is not None
