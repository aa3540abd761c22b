"""Event times by the ladder, on arrivals as cameras and networks make them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.chunk import SyncSource
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S
from meltwatch_sources.domain.event_clock import (
    ClockFinding,
    ClockRule,
    EventClock,
    EventTime,
    FrameTimes,
    Rung,
)

from tests.support.examples import examples

BEGIN_NS = 1_800_000_000 * NS_PER_S
DELAY_NS = 60 * NS_PER_MS
HOST_NS = 2 * NS_PER_MS
MEASURED = ClockRule(camera_delay_ns=DELAY_NS, delay_error_ns=0, is_delay_measured=True)


@dataclass(frozen=True)
class Shot:
    true_ns: int
    frame: FrameTimes


def camera(
    seconds: float,
    *,
    rate: float = 25.0,
    stamped: float | None = None,
    ppm: float = 0.0,
    jitter_ms: float = 10.0,
    sender_off_ns: int | None = None,
    seed: int = 1,
) -> Iterator[Shot]:
    """Give frames of a camera that ships at one rate and stamps for another."""
    chance = random.Random(seed)
    media_step_ns = NS_PER_S / (stamped or rate) * (1 + ppm / 1e6)
    for number in range(int(seconds * rate)):
        true_ns = BEGIN_NS + int(number * NS_PER_S / rate)
        late_ns = int(chance.expovariate(1.0) * jitter_ms * NS_PER_MS / 2)
        sender_ns = None if sender_off_ns is None else true_ns + sender_off_ns
        media_ns = int(number * media_step_ns)
        yield Shot(true_ns, FrameTimes(media_ns, sender_ns, true_ns + DELAY_NS + late_ns, HOST_NS))


def errors(
    shots: Iterator[Shot], clock: EventClock, after_s: float = 15
) -> list[tuple[int, EventTime]]:
    """Return the error of each event time from then on, and the time itself."""
    found = []
    for shot in shots:
        time = clock.stamp(shot.frame)
        if time is not None and shot.true_ns - BEGIN_NS >= after_s * NS_PER_S:
            found.append((time.event_ns - shot.true_ns, time))
    return found


def worst_ms(found: Sequence[tuple[int, EventTime]]) -> float:
    return max(abs(error_ns) for error_ns, _ in found) / NS_PER_MS


@pytest.mark.parametrize("ppm", [-100, 0, 100])
def test_by_arrival_a_common_camera_is_right_within_a_few_milliseconds(ppm: float) -> None:
    clock = EventClock(MEASURED)
    found = errors(camera(90, ppm=ppm), clock)

    assert worst_ms(found) < 4
    assert {(time.rung, time.sync.source) for _, time in found} == {(Rung.ARRIVAL, SyncSource.NTP)}
    assert all(abs(error_ns) <= time.sync.max_error_ns for error_ns, time in found)
    assert clock.findings == frozenset()


def test_a_camera_that_ships_21_of_25_is_named_and_followed() -> None:
    clock = EventClock(MEASURED)
    found = errors(camera(60, rate=21, stamped=25), clock)

    assert clock.findings == {ClockFinding.MEDIA_CLOCK_DRIFTS}
    assert worst_ms(found) < 250
    assert all(abs(error_ns) <= time.sync.max_error_ns for error_ns, time in found)


def test_a_drift_of_1000_ppm_is_named_within_a_minute_or_so() -> None:
    clock = EventClock(MEASURED)
    errors(camera(75, ppm=-1000), clock)

    assert clock.findings == {ClockFinding.MEDIA_CLOCK_DRIFTS}


def test_a_delay_that_nobody_measured_claims_nothing() -> None:
    found = errors(camera(30), EventClock(ClockRule()))

    assert {time.sync.source for _, time in found} == {SyncSource.FREE}
    assert all(abs(error_ns) <= time.sync.max_error_ns for error_ns, time in found)


def test_a_host_that_is_not_synchronised_claims_nothing() -> None:
    clock = EventClock(MEASURED)
    unsure = (
        replace(shot, frame=replace(shot.frame, host_error_ns=16 * NS_PER_S))
        for shot in camera(30, sender_off_ns=0)
    )

    assert {time.sync.source for _, time in errors(unsure, clock)} == {SyncSource.FREE}


def test_a_sender_that_proves_right_for_twenty_seconds_is_followed() -> None:
    clock = EventClock(ClockRule())
    found = errors(camera(70, sender_off_ns=3 * NS_PER_MS), clock, after_s=60)

    assert {time.rung for _, time in found} == {Rung.SENDER}
    assert {time.sync.source for _, time in found} == {SyncSource.NTP}
    assert worst_ms(found) < 4
    assert clock.findings == frozenset()


@pytest.mark.parametrize("off_s", [3600, -3600, -0.52, -0.75, 0.7, 9 * 3600])
def test_a_sender_that_is_off_is_named_and_arrival_is_followed(off_s: float) -> None:
    clock = EventClock(MEASURED)
    found = errors(camera(60, sender_off_ns=int(off_s * NS_PER_S)), clock)

    assert clock.findings == {ClockFinding.SENDER_CLOCK_DISAGREES}
    assert {time.rung for _, time in found} == {Rung.ARRIVAL}
    assert worst_ms(found) < 4
    assert clock.sender_offset_ns == pytest.approx(off_s * NS_PER_S, abs=10 * NS_PER_MS)


def test_a_sender_that_steps_by_an_hour_is_left_at_once() -> None:
    clock = EventClock(MEASURED)
    stepped = (
        replace(
            shot,
            frame=replace(
                shot.frame,
                sender_ns=shot.true_ns + (3600 * NS_PER_S if second(shot) > 40 else 0),
            ),
        )
        for shot in camera(60)
    )
    found = errors(stepped, clock)

    assert worst_ms(found) < 10
    assert clock.findings == {ClockFinding.SENDER_CLOCK_DISAGREES}


def second(shot: Shot) -> float:
    return (shot.true_ns - BEGIN_NS) / NS_PER_S


def test_who_wants_arrival_gets_it() -> None:
    found = errors(camera(60, sender_off_ns=0), EventClock(replace(MEASURED, follow="arrival")), 40)

    assert {time.rung for _, time in found} == {Rung.ARRIVAL}


def test_a_trusted_sender_may_be_off_but_never_ahead_of_the_host() -> None:
    rule = ClockRule(follow="sender")
    behind = errors(camera(10, sender_off_ns=-NS_PER_S), EventClock(rule), 5)
    ahead = errors(camera(10, sender_off_ns=NS_PER_S), EventClock(rule), 5)

    assert {time.rung for _, time in behind} == {Rung.SENDER}
    assert {time.rung for _, time in ahead} == {Rung.ARRIVAL}


def test_frames_that_probing_has_queued_are_not_used() -> None:
    """The first 1.2 s arrive at once, as they do behind a player that looks before it plays."""
    clock = EventClock(MEASURED)
    opened_ns = BEGIN_NS + 1200 * NS_PER_MS
    queued = (
        replace(shot, frame=replace(shot.frame, arrival_ns=max(shot.frame.arrival_ns, opened_ns)))
        for shot in camera(10, jitter_ms=0)
    )

    assert worst_ms(errors(queued, clock, after_s=0)) < 1


def test_a_new_stream_after_a_loss_steps_and_goes_on() -> None:
    clock = EventClock(MEASURED)
    errors(camera(30, sender_off_ns=0), clock)
    again = (
        replace(
            shot,
            true_ns=shot.true_ns + 100 * NS_PER_S,
            frame=replace(shot.frame, arrival_ns=shot.frame.arrival_ns + 100 * NS_PER_S),
        )
        for shot in camera(10, seed=2)
    )

    assert worst_ms(errors(again, clock, after_s=0)) < 15


@examples(60)
@given(
    st.lists(
        st.tuples(
            st.integers(-NS_PER_S, 3 * NS_PER_S),
            st.integers(-NS_PER_S, 3 * NS_PER_S),
            st.none() | st.integers(-2 * NS_PER_S, 2 * NS_PER_S) | st.just(3600 * NS_PER_S),
        ),
        max_size=120,
    ),
    st.sampled_from(["auto", "sender", "arrival"]),
)
def test_whatever_comes_events_rise_and_are_never_ahead_of_the_host(steps, follow) -> None:
    clock = EventClock(ClockRule(follow=follow))
    media_ns, arrival_ns, newest_ns = 0, BEGIN_NS, 0
    for media_step_ns, arrival_step_ns, off_ns in steps:
        media_ns, arrival_ns = (
            media_ns + media_step_ns,
            max(arrival_ns + arrival_step_ns, arrival_ns),
        )
        sender_ns = None if off_ns is None else arrival_ns + off_ns
        time = clock.stamp(FrameTimes(media_ns, sender_ns, arrival_ns, HOST_NS))
        if time is not None:
            assert newest_ns < time.event_ns <= arrival_ns
            assert time.sync.max_error_ns >= HOST_NS
            newest_ns = time.event_ns


def test_a_host_clock_that_is_set_back_is_named_and_followed() -> None:
    clock = EventClock(MEASURED)
    errors(camera(20), clock)
    back = (
        replace(shot.frame, arrival_ns=shot.frame.arrival_ns - 3600 * NS_PER_S)
        for shot in camera(10)
    )
    times = [clock.stamp(frame) for frame in back]

    assert any(times)
    assert ClockFinding.HOST_CLOCK_STEPPED in clock.findings


def test_a_sender_is_not_followed_before_it_has_proved_right_for_twenty_seconds() -> None:
    found = errors(camera(19, sender_off_ns=0), EventClock(MEASURED), after_s=0)

    assert {time.rung for _, time in found} == {Rung.ARRIVAL}


def test_a_change_of_rung_moves_event_times_by_5_ms_a_second() -> None:
    """The sender is 100 ms from the arrivals: near enough to be followed, too far for a step."""
    off = camera(70, jitter_ms=0, sender_off_ns=-100 * NS_PER_MS)
    found = errors(off, EventClock(MEASURED), after_s=0)

    assert found[-1][1].rung is Rung.SENDER
    assert abs(found[-1][0] + 100 * NS_PER_MS) < NS_PER_MS
    moved_ns = [after - before for (before, _), (after, _) in pairwise(found)]
    assert max(map(abs, moved_ns)) <= 40 * NS_PER_MS * 5 // 1000 + 1000
    assert all(abs(error_ns) <= time.sync.max_error_ns for error_ns, time in found)


def test_a_sender_that_is_a_little_ahead_stamps_nothing_later_than_its_arrival() -> None:
    clock = EventClock(ClockRule("sender", 0, 0))
    ahead = [
        replace(shot.frame, sender_ns=shot.frame.arrival_ns + 15 * NS_PER_MS)
        for shot in camera(10, jitter_ms=0)
    ]
    times = [(frame, clock.stamp(frame)) for frame in ahead]

    assert times[-1][1] is not None
    assert times[-1][1].rung is Rung.SENDER
    assert all(time.event_ns <= frame.arrival_ns for frame, time in times if time)


@examples(20)
@given(
    st.sampled_from(["auto", "sender"]),
    # At each edge: ahead of the arrivals, behind them, off by as much as may be, and spread.
    st.sampled_from([20.0, -190.0, -310.0, 310.0, -2000.0]),
    st.floats(-15, 15),
    st.floats(0, 40),
    st.integers(0, 2**16),
)
def test_a_sender_at_an_edge_changes_its_state_once_in_its_window_at_most(
    follow, edge_ms, off_ms, unrest_ms, seed
) -> None:
    chance = random.Random(seed)
    clock = EventClock(replace(MEASURED, follow=follow))
    told, begun_ns = [], None
    for shot in camera(200, rate=5, jitter_ms=unrest_ms, seed=seed):
        # Unrest of half a minute each, so that quantiles wander over the edge.
        wave_ms = unrest_ms * chance.gauss(0, 1) * (1 + int(second(shot) / 30) % 2)
        off_ns = int((edge_ms + off_ms + wave_ms) * NS_PER_MS)
        time = clock.stamp(replace(shot.frame, sender_ns=shot.frame.arrival_ns + off_ns))
        begun_ns = begun_ns or shot.true_ns
        if time is not None:
            told.append((shot.true_ns - begun_ns, clock.findings, time.rung))
    changes_ns = [
        after[0] for before, after in pairwise(told) if before[1:] != after[1:]
    ]  # fmt: skip

    # One away from the sender and one back in each window, and the first of all.
    assert len(changes_ns) <= 2 * 200 / 19 + 1
    rises_ns = [
        after[0] for before, after in pairwise(told) if after[2] < before[2]
    ]  # fmt: skip
    assert all(after - before >= 18 * NS_PER_S for before, after in pairwise(rises_ns))
