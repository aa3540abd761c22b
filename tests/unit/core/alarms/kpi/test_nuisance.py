"""Chattering, fleeting, stale and standing alarms, and what operators did about them."""

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.kpi.lines import Logged, lines_of
from meltwatch_core.alarms.kpi.load import Stretch
from meltwatch_core.alarms.kpi.nuisance import chatter_index
from meltwatch_core.alarms.kpi.performance import performance
from meltwatch_core.alarms.kpi.response import nearest_rank
from meltwatch_schemas.alarm import Priority
from meltwatch_schemas.instants import utc_from_ns

from tests.support.examples import examples
from tests.unit.core.alarms.kpi.story import DAY_S, Story, at_ns, name, stretch

A, B = name(1), name(2)


def test_three_raises_within_a_minute_chatter() -> None:
    story = Story()
    for second in (0, 20, 59):
        story.blinks(A, second, 5)
    for second in (0, 30, 60):  # the first is a minute old when the third comes
        story.blinks(B, second, 5)
    chatter = {each.alarm_id: each for each in story.performance().chatter}
    assert (chatter[A].fastest, chatter[A].is_fast) == (3, True)
    assert (chatter[B].fastest, chatter[B].is_fast) == (2, False)


def test_a_synthetic_chattering_alarm_has_its_index() -> None:
    """Every ten seconds for ten minutes: each run is 10 s, so the index is 1 / 10."""
    story = Story()
    for second in range(0, 600, 10):
        story.blinks(A, second, 5)
    (found,) = story.performance().chatter
    assert found.index == pytest.approx(0.1)
    assert found.is_chattering
    assert found.raises == 60


def test_the_index_is_the_mean_of_one_over_the_seconds_between_raises() -> None:
    """Runs of 20, 20 and 40 s: 2/3 · 1/20 + 1/3 · 1/40."""
    times = [at_ns(second) for second in (0, 20, 40, 80)]
    assert chatter_index(times) == pytest.approx(2 / 3 / 20 + 1 / 3 / 40)
    assert chatter_index(times[:3]) == pytest.approx(0.05)
    assert chatter_index(times[:1]) == 0
    assert chatter_index([at_ns(0), at_ns(0)]) == 1


def test_what_nobody_is_told_of_does_not_chatter() -> None:
    story = Story().blinks(A, 0, 5)
    for second in (0, 10, 20, 30):
        story.tell(B, second, "RAISE", "DSUPR", suppressed=["masked"])
        story.tell(B, second + 5, "CLEAR", "NORM", suppressed=[])
    found = story.performance()
    assert [each.alarm_id for each in found.chatter] == [A]
    assert found.annunciations == 1


def test_fleeting_is_gone_within_less_than_ten_seconds_and_nobody_acted() -> None:
    story = Story().blinks(A, 0, 9.9).blinks(A, 100, 10)
    story.raises(B, 0).acks(B, 3).clears(B, 6)
    assert story.performance().fleeting == {A: 1}


def test_a_manager_that_was_away_makes_no_alarm_fleeting() -> None:
    """Raise and clear are written within a second, but lie a minute apart in the plant."""
    story = Story().raises(A, 100, raise_time=utc_from_ns(at_ns(0)))
    story.tell(A, 101, "CLEAR", "RTNUN", active=False, clear_time=utc_from_ns(at_ns(60)))
    assert story.performance().fleeting == {}


@pytest.mark.parametrize(("length_s", "is_stale"), [(DAY_S, False), (DAY_S + 1, True)])
def test_stale_begins_after_twenty_four_hours(length_s: int, is_stale: bool) -> None:
    cleared = Story().raises(A, 0).acks(A, 10).clears(A, length_s)
    assert bool(cleared.performance(end_s=3 * DAY_S).stale) is is_stale
    standing = Story().raises(A, 0).acks(A, 10)
    assert bool(standing.performance(end_s=length_s).stale) is is_stale


def test_stale_alarms_by_day() -> None:
    story = Story().raises(A, 0).acks(A, 10).raises(B, 3600).clears(B, 2.5 * DAY_S)
    found = story.performance(end_s=4 * DAY_S)
    assert [found.stale_on(day) for day in found.days] == [0, 2, 2, 1]
    assert found.most_stale_of_a_day == 2
    assert [(each.alarm_id, each.end_ns) for each in found.stale] == [
        (A, None),
        (B, at_ns(2.5 * DAY_S)),
    ]


def test_a_shelved_alarm_is_not_stale_while_it_is_shelved() -> None:
    shelve = {"until": utc_from_ns(at_ns(9 * DAY_S)), "by": "li", "reason": "known"}
    story = Story().raises(A, 0)
    story.tell(A, 3600, "SHELVE", "SHLVD", by="li", shelve=shelve)
    found = story.performance(end_s=3 * DAY_S)
    assert found.stale == []
    assert [(each.line.shelved_by, each.since_ns) for each in found.shelved] == [
        ("li", at_ns(3600))
    ]
    assert found.standing == {}
    assert found.unauthorised == []


def test_suppression_by_nobody_is_told() -> None:
    story = Story().raises(A, 0).tell(A, 10, "SHELVE", "SHLVD")
    story.raises(B, 0).tell(B, 10, "OOS_IN", "OOSRV")
    story.raises(name(3), 0).tell(name(3), 10, "SUPPRESS", "DSUPR")
    assert [line.alarm_id for line in story.performance().unauthorised] == [A, B]


def test_priorities_top_ten_and_standing() -> None:
    story = Story()
    for number in range(12):
        for again in range(number + 1):
            story.blinks(name(number), number * 1000 + again * 70, 30)
    story.raises(B, 50_000, priority=Priority.CRITICAL)
    found = story.performance()
    assert found.annunciations == 79
    assert found.by_priority == {Priority.CRITICAL: 1, Priority.HIGH: 78}
    assert found.top[0] == (name(11), 12)
    assert len(found.top) == 10
    # All but the two rarest, which are announced once and twice.
    assert found.top_share == pytest.approx(76 / 79)
    assert found.standing == {Priority.CRITICAL: 1}


def test_response_by_priority() -> None:
    """Acknowledged after 10, 20 and 400 s, of which 300 s are allowed; the fourth is waiting."""
    story = Story()
    for number, waited_s in enumerate((10, 20, 400)):
        story.raises(name(number), 0).acks(name(number), waited_s)
    story.raises(name(3), 900)
    found = story.performance(end_s=1000).responses[Priority.HIGH]
    assert (found.count, found.acknowledged) == (4, 3)
    assert (found.p50_s, found.p95_s) == (20, 400)
    assert found.beyond == pytest.approx(1 / 3)  # of the fourth nothing can be told yet
    later = story.performance(end_s=1201).responses[Priority.HIGH]
    assert later.beyond == pytest.approx(2 / 4)


def test_an_alarm_announced_anew_is_answered_anew() -> None:
    story = Story().raises(A, 0).acks(A, 10)
    story.tell(A, 310, "REALARM", "UNACK", acked=False).acks(A, 340)
    found = story.performance()
    assert found.annunciations == 2
    assert found.responses[Priority.HIGH].p95_s == 30


def test_a_call_that_comes_again_gives_no_more_time() -> None:
    """Called at 0, 200 and 400 s, acknowledged at 500 s; 300 s are allowed."""
    story = Story().raises(A, 0)
    for second in (200, 400):
        story.tell(A, second, "REALARM", "UNACK")
    found = story.performance(end_s=450)
    assert (found.annunciations, found.responses[Priority.HIGH].beyond) == (3, 1)
    found = story.acks(A, 500).performance()
    response = found.responses[Priority.HIGH]
    assert (response.count, response.p50_s, response.beyond) == (1, 500, 1)


def test_records_that_repeat_or_come_from_the_past_change_nothing() -> None:
    story = Story().raises(A, 0).acks(A, 10).clears(A, 500).raises(A, 600).raises(B, 700)
    logged = story.logged()
    once = performance(lines_of(logged), stretch(), UTC)
    muddled = [logged[0], logged[0], logged[1], logged[0], *logged[2:], logged[1], logged[3]]
    assert performance(lines_of(muddled), stretch(), UTC) == once


def test_a_topic_that_was_made_again_begins_anew() -> None:
    before = Story().raises(A, 0).acks(A, 10).logged()
    after = [
        Logged(each.alarm_id, each.record, each.written_ns, life=1)
        for each in Story().raises(B, 1000).logged()
    ]
    found = performance(lines_of([*before, *after]), stretch(), UTC)
    assert found.annunciations == 2
    assert found.standing == {Priority.HIGH: 1}


def test_a_restored_topic_repeats_what_is_known_and_goes_on() -> None:
    """What a backup held comes again as a life of its own; what was later is lost there."""
    story = Story().raises(A, 0).acks(A, 10).clears(A, 500).raises(A, 600).raises(B, 700)
    again = [
        Logged(each.alarm_id, each.record, each.written_ns, life=1) for each in story.logged()[:4]
    ]
    found = performance(lines_of([*story.logged(), *again]), stretch(), UTC)
    assert found == story.performance()


def test_a_tombstone_ends_its_alarm() -> None:
    logged = [*Story().raises(A, 0).logged(), Logged(A, None, at_ns(5)), Logged(B, None, at_ns(6))]
    found = performance(lines_of(logged), stretch(end_s=2 * DAY_S), UTC)
    assert (found.standing, found.stale, found.fleeting) == ({}, [], {})
    assert found.annunciations == 1


def test_replays_and_shadow_alarms_are_nobodys_load() -> None:
    story = Story().raises(A, 0, run_id="R1").raises(B, 0, mode="shadow")
    story.raises(name(3), 0, priority=Priority.JOURNAL)
    assert story.performance().annunciations == 0


def test_nothing_at_all_has_figures_too() -> None:
    found = Story().performance()
    assert (found.annunciations, found.top_share, found.peak.at_ns) == (0, 0, None)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.5, 0.95]))
def test_the_rank_is_the_least_value_that_enough_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = nearest_rank(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert all(
        sum(value <= less for value in values) < share * len(values)
        for less in values
        if less < found
    )


STEPS = st.lists(st.tuples(st.integers(1, 200_000), st.booleans()), min_size=1, max_size=20)


@given(STEPS, st.integers(0, 300_000), st.integers(1, 300_000))
@examples(60)
def test_stale_as_by_looking_at_each_hour(
    steps: list[tuple[int, bool]], begin_s: int, length_s: int
) -> None:
    """One alarm that is raised, sometimes acknowledged, and gone, in turn."""
    story, second = Story(), 0
    active: list[list[int]] = []
    for number, (after_s, acknowledges) in enumerate(steps):
        second += after_s
        if number % 2 == 0:
            story.raises(A, second)
            active.append([second])
            if acknowledges:
                story.acks(A, second)
        else:
            story.clears(A, second)
            active[-1].append(second)
    end_s = begin_s + length_s
    expected = []
    for begun, *over in active:
        until_s = min([*over, end_s])
        if begun < end_s and until_s > max(begun + DAY_S, begin_s):
            expected.append(at_ns(begun))
    found = performance(lines_of(story.logged()), Stretch(at_ns(begin_s), at_ns(end_s)), UTC).stale
    assert [each.raised_ns for each in found] == expected
