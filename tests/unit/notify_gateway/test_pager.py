"""Whom the gateway tells what, and when."""

from collections import defaultdict
from datetime import time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_notify_gateway.domain.pager import Pager
from meltwatch_notify_gateway.domain.plan import NAG, ChannelPlan, QuietHours
from meltwatch_notify_gateway.domain.switchboard import Switchboard
from meltwatch_schemas.alarm import Priority
from meltwatch_schemas.alarm_board import AlarmTurn

from tests.support.examples import examples
from tests.unit.notify_gateway.samples import NOON, PREFIX, Night, alarm, alarm_id_of, tokens

QUICK = ChannelPlan("mail", nag=dict.fromkeys(NAG, timedelta(seconds=60)))
UNTOLD = {
    "ACKED": {},
    "NORM": {"retain": False},
    "SHLVD": {"suppressed": ["shelved"]},
    "DSUPR": {"suppressed": ["masked"]},
    "OOSRV": {"suppressed": ["out_of_service"]},
    "LATAK": {"acked": True},
}


def test_twenty_trips_in_ten_seconds_are_at_most_three_messages_and_come_again():
    night = Night(QUICK)
    for number in range(20):
        night.hear(alarm(number))
        night.go_on(0.5 + number % 2)
    first = night.told + night.go_on(25)
    assert 1 <= len(first) <= 3
    assert sorted(tokens(first)) == sorted(alarm(number).event_id for number in range(20))
    assert first[0].notice.first_out.alarm_id == alarm_id_of(0)

    night.hear(*(alarm(number, 2, "ACKED") for number in range(19)))
    again = night.go_on(120)
    assert {*tokens(again)} == {alarm(19).event_id}
    assert again[0].notice.reminded == {alarm(19).event_id}


def test_a_critical_alarm_waits_for_nothing_but_the_last_message():
    night = Night(QUICK)
    night.hear(alarm(1, priority=Priority.CRITICAL))
    (first,) = night.go_on(1)
    night.hear(alarm(2, priority=Priority.CRITICAL))
    (second,) = night.go_on(20)
    assert (first.at_s, second.at_s) == (1, 11)


@pytest.mark.parametrize("state", UNTOLD)
def test_what_is_acknowledged_over_or_suppressed_is_not_told_and_reminds_nobody(state):
    night = Night(QUICK)
    night.hear(alarm(1, 1, state, **UNTOLD[state]), alarm(2))
    night.go_on(20)
    night.hear(alarm(2, 2, state, **UNTOLD[state]))
    night.go_on(600)
    assert tokens(night.told) == [alarm(2).event_id]


@pytest.mark.parametrize(
    "changes", [{"mode": "shadow"}, {"mode": "advisory"}, {"priority": Priority.JOURNAL}]
)
def test_what_only_is_watched_calls_nobody(changes):
    night = Night(QUICK)
    night.hear(alarm(1, **changes))
    assert not night.go_on(200)


@pytest.mark.parametrize("state", ["RTNUN", "LATUN"])
def test_an_alarm_that_has_gone_reminds_until_somebody_has_seen_it(state):
    night = Night(QUICK)
    night.hear(alarm(1))
    night.go_on(20)
    night.hear(alarm(1, 2, state, annunciation_id=alarm(1).event_id))
    assert len(night.go_on(180)) == 3


def test_quality_and_comments_announce_nothing_but_an_escalation_does():
    night = Night(ChannelPlan("mail"))
    night.hear(alarm(1, annunciation_id=None))
    night.go_on(20)
    night.hear(alarm(1, 2, quality="bad", annunciation_id=None))
    night.hear(alarm(1, 3, quality="good", annunciation_id=alarm(1).event_id))
    assert not night.go_on(60)
    night.hear(alarm(1, 4, priority=Priority.CRITICAL))
    (told,) = night.go_on(20)
    assert tokens([told]) == [alarm(1, 4).event_id]
    assert not told.notice.reminded


def test_quiet_hours_hold_everything_back_but_what_is_critical():
    zone = ZoneInfo("Asia/Shanghai")
    local = NOON.astimezone(zone)
    begin, end = (local + timedelta(minutes=m) for m in (-30, 30))
    quiet = QuietHours(begin.time(), end.time(), zone)
    night = Night(ChannelPlan("mail", quiet=quiet))
    night.hear(alarm(1), alarm(2), alarm(3, priority=Priority.CRITICAL))
    held = night.go_on(29 * 60)
    assert {*tokens(held)} == {alarm(3).event_id}
    assert len(held) > 10, "what is critical reminds all the time"
    night.hear(alarm(2, 2, "ACKED"))
    after = night.go_on(120)
    assert {*tokens(after)} == {alarm(1).event_id, alarm(3).event_id}


@pytest.mark.parametrize(
    ("begin", "end", "hour", "covered"),
    [
        (22, 6, 23, True),
        (22, 6, 5, True),
        (22, 6, 6, False),
        (12, 14, 13, True),
        (12, 14, 14, False),
    ],
)
def test_quiet_hours_may_go_over_midnight(begin, end, hour, covered):
    quiet = QuietHours(time(begin), time(end))
    assert quiet.cover(NOON.replace(hour=hour, minute=0)) is covered


def test_a_channel_tells_only_its_priorities():
    night = Night(ChannelPlan("sms", priorities=frozenset({Priority.CRITICAL})))
    night.hear(alarm(1), alarm(2, priority=Priority.CRITICAL))
    assert {*tokens(night.go_on(60))} == {alarm(2).event_id}


def test_a_message_that_failed_is_tried_again_and_not_at_every_look():
    night = Night(QUICK, accepts=lambda at_s: at_s > 300)
    tries = []
    usual = night.pager.settle
    night.pager.settle = lambda *args, **also: (tries.append(night.at_s), usual(*args, **also))
    night.hear(alarm(1))
    night.go_on(400)
    failed = [at_s for at_s in tries if at_s <= 300]
    assert [b - a for a, b in pairwise(failed)][:3] == [10, 20, 40]
    assert len(failed) <= 8
    assert tokens(night.told)[0] == alarm(1).event_id


def two_channels():
    pagers = {name: Pager(ChannelPlan(name)) for name in ("mail", "sms")}
    return Switchboard(PREFIX, pagers), pagers


def test_other_channels_say_that_one_is_lost_until_it_works_again():
    board, pagers = two_channels()
    board.hear([AlarmTurn(alarm_id_of(1), None, alarm(1))], NOON)
    now = NOON
    for _ in range(3):
        now += timedelta(minutes=2)
        board.settle("mail", pagers["mail"].next_notice(now), now, "no connection")
    assert pagers["mail"].open_calls == 1, "it cannot tell of itself"
    heard = []
    for _ in range(2):
        now += timedelta(seconds=10)
        heard.append(pagers["sms"].next_notice(now))
        board.settle("sms", heard[-1], now, None)
    (trouble,) = (call for notice in heard for call in notice.calls if call.record is None)
    assert trouble.alarm_id == f"{PREFIX}/mail/CHANNEL_DOWN"
    assert "no connection" in trouble.words

    now += timedelta(minutes=2)
    board.settle("mail", pagers["mail"].next_notice(now), now, None)
    assert pagers["sms"].open_calls == 1


def test_the_silence_of_the_alarm_manager_is_told_on_every_channel_at_once():
    board, pagers = two_channels()
    for _ in range(3):
        board.note_link(NOON, is_down=True)
    for pager in pagers.values():
        notice = pager.next_notice(NOON)
        assert [call.alarm_id for call in notice.calls] == [f"{PREFIX}/ALARM_PIPELINE_DOWN"]
        assert notice.priority is Priority.CRITICAL
    board.note_link(NOON, is_down=False)
    assert not any(pager.open_calls for pager in pagers.values())


def test_a_restart_repeats_nothing_and_forgets_no_reminder():
    told_at = NOON - timedelta(seconds=30)
    pager = Pager(QUICK)
    pager.recall({alarm(1).event_id: told_at})
    board = Switchboard(PREFIX, {"mail": pager})
    board.hear([AlarmTurn(alarm_id_of(n), None, alarm(n)) for n in (1, 2)], NOON)
    first = pager.next_notice(NOON + timedelta(seconds=10))
    assert [call.token for call in first.calls] == [alarm(2).event_id]
    board.settle("mail", first, NOON + timedelta(seconds=10), None)
    again = pager.next_notice(NOON + timedelta(seconds=40))
    assert [call.token for call in again.calls] == [alarm(1).event_id]
    assert again.reminded == {alarm(1).event_id}


def test_a_clock_that_is_set_back_delays_no_reminder_for_longer_than_its_interval():
    night = Night(QUICK)
    night.hear(alarm(1))
    night.go_on(20)
    night.at_s -= 86_400
    assert night.go_on(60)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.sampled_from(["UNACK", "UNACK", "ACKED", "RTNUN", "NORM", "SHLVD", "DSUPR", "OOSRV"]),
        st.booleans(),
        st.integers(0, 25),
    ),
    max_size=40,
)


@examples(100)
@given(STEPS, st.sets(st.integers(0, 400), max_size=100))
def test_whatever_happens_groups_keep_their_distance_and_what_is_open_is_told(steps, failing):
    """Two plants; alarms come, go, are suppressed; some tries fail."""
    night = Night(QUICK, accepts=lambda at_s: at_s not in failing)
    newest = {}
    for seq, (number, state, is_anew, pause) in enumerate(steps, 1):
        known = newest.get(number)
        changes = {"plant": "ab"[number % 2], **UNTOLD.get(state, {})}
        if known is not None and not (is_anew and state == "UNACK"):
            changes["annunciation_id"] = known.annunciation_id
        newest[number] = alarm(number, seq, state, **changes)
        night.hear(newest[number])
        before = len(night.told)
        open_now = {r.annunciation_id for r in newest.values() if r.state in ("UNACK", "RTNUN")}
        night.go_on(pause)
        assert {*tokens(night.told[before:])} <= open_now
    before = len(night.told)
    night.go_on(700)
    assert {*tokens(night.told[before:])} == open_now if steps else not night.told
    for token in open_now if steps else ():
        times = [each.at_s for each in night.told[before:] if token in tokens([each])]
        assert len(times) >= 5
    by_plant = defaultdict(list)
    for each in night.told:
        by_plant[each.notice.plant].append(each.at_s)
    for times in by_plant.values():
        assert all(later - earlier >= 10 for earlier, later in pairwise(times))
