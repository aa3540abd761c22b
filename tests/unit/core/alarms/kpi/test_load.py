"""Rates, bins, peaks and floods against values worked out by hand, and against plain counting."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.kpi.lines import JournalLine, lines_of
from meltwatch_core.alarms.kpi.load import (
    TEN_MINUTES_NS,
    Stretch,
    days_of,
    flooded_share,
    floods_of,
    hours_of,
    peak_of,
    share_of_bins_over,
)
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.window import NS_PER_S

from tests.support.examples import examples
from tests.unit.core.alarms.kpi.story import BEGIN_NS, DAY_S, Story, at_ns, name, stretch


def announced_at(*seconds: float) -> list[JournalLine]:
    """Return the annunciations of alarms that are raised at these seconds, one each."""
    story = Story()
    for number, second in enumerate(sorted(seconds)):
        story.raises(name(number), second)
    return list(lines_of(story.logged()))


def test_rates_are_counts_over_the_length_of_the_stretch() -> None:
    story = Story()
    for hour in range(36):
        story.blinks(name(hour % 4), hour * 3600)
    found = story.performance(end_s=1.5 * DAY_S)
    assert found.annunciations == 36
    assert (found.per_day, found.per_hour) == (24, 1)
    assert found.per_ten_minutes == pytest.approx(1 / 6)


def test_eleven_alarms_around_an_edge_are_a_peak_but_in_no_bin() -> None:
    """Six up to 09:59, five from 10:00 on: a sliding window sees what bins do not."""
    times = [at_ns(595 + second) for second in range(11)]
    assert share_of_bins_over(10, TEN_MINUTES_NS, times, stretch()) == 0
    assert peak_of(times, stretch()).count == 11
    moved = [at_ns(600 + second) for second in range(11)]
    assert share_of_bins_over(10, TEN_MINUTES_NS, moved, stretch()) == 1 / 144


def test_an_alarm_exactly_ten_minutes_old_is_no_longer_in_the_window() -> None:
    assert peak_of([at_ns(0), at_ns(600)], stretch()).count == 1
    assert peak_of([at_ns(0), at_ns(599.999)], stretch()).count == 2


def test_hours_with_more_than_thirty() -> None:
    times = [at_ns(3600 + second * 100) for second in range(31)]
    assert share_of_bins_over(30, 6 * TEN_MINUTES_NS, times, stretch()) == 1 / 24
    assert share_of_bins_over(30, 6 * TEN_MINUTES_NS, times[1:], stretch()) == 0


def test_a_bin_that_the_stretch_cuts_is_a_bin() -> None:
    cut = stretch(300, 900)  # half of the first bin, half of the second
    times = [at_ns(600 + second) for second in range(11)]
    assert share_of_bins_over(10, TEN_MINUTES_NS, times, cut) == 1 / 2


def test_twenty_furnaces_within_ten_seconds_are_one_flood() -> None:
    """It begins with the eleventh. When the sixteenth is ten minutes old, four are left."""
    seconds = [100 + number * 0.5 for number in range(20)]
    (flood,) = floods_of(announced_at(*seconds), stretch())
    assert flood.begin_ns == at_ns(105)
    assert flood.end_ns == at_ns(100 + 15 * 0.5 + 600)
    assert (flood.first_out, flood.first_ns) == (name(0), at_ns(100))
    assert (flood.count, flood.peak) == (20, 20)
    length_s = flooded_share([flood], stretch()) * DAY_S
    assert length_s == pytest.approx(602.5)


def test_ten_within_ten_minutes_are_no_flood() -> None:
    assert floods_of(announced_at(*range(10)), stretch()) == []


def test_a_flood_goes_on_while_five_are_within_ten_minutes() -> None:
    """After eleven at once one comes every two minutes: five are always there, for an hour."""
    trickle = [number * 120 for number in range(1, 31)]
    (flood,) = floods_of(announced_at(*[0] * 11, *trickle), stretch())
    # The last five come at 3120 … 3600; the first of them leaves ten minutes later.
    assert (flood.begin_ns, flood.end_ns) == (at_ns(0), at_ns(3120 + 600))
    assert flood.count == 41


def test_a_new_flood_begins_after_the_end_of_the_last_one() -> None:
    found = floods_of(announced_at(*range(11), *range(5000, 5011)), stretch())
    assert [flood.begin_ns for flood in found] == [at_ns(10), at_ns(5010)]
    assert [flood.first_ns for flood in found] == [at_ns(0), at_ns(5000)]


def test_a_flood_that_lasts_has_no_end_yet() -> None:
    (flood,) = floods_of(announced_at(*range(11)), stretch(0, 300))
    assert flood.end_ns is None
    assert flooded_share([flood], stretch(0, 300)) == pytest.approx(290 / 300)


def test_a_flood_from_before_the_stretch_counts_with_its_part() -> None:
    floods = floods_of(announced_at(*range(11)), stretch(100, 1100))
    # It ends when the seventh, at 6 s, is ten minutes old.
    assert [flood.end_ns for flood in floods] == [at_ns(606)]
    assert flooded_share(floods, stretch(100, 1100)) == pytest.approx(506 / 1000)
    assert floods_of(announced_at(*range(11)), stretch(606, 1100)) == []


def test_days_of_a_night_in_which_clocks_change() -> None:
    """Berlin, 29 March 2026: 23 hours; 25 October: 25 hours."""
    berlin = ZoneInfo("Europe/Berlin")
    for day, hours in (((2026, 3, 29), 23), ((2026, 10, 25), 25)):
        begin_ns = ns_from_utc(datetime(*day, tzinfo=berlin))
        days = days_of([begin_ns], Stretch(begin_ns, begin_ns + 2 * DAY_S * NS_PER_S), berlin)
        assert days[0].stretch.length_ns == hours * 3600 * NS_PER_S
        assert days[0].count == 1


def test_an_alarm_in_the_hour_that_comes_twice_is_counted_once() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    times = [ns_from_utc(first), ns_from_utc(first.replace(fold=1))]
    assert times[1] - times[0] == 3600 * NS_PER_S
    day = Stretch(times[0] - 3 * 3600 * NS_PER_S, times[0] + DAY_S * NS_PER_S)
    counts = {each.label: each.count for each in days_of(times, day, berlin)}
    assert counts["2026-10-25"] == 2
    assert peak_of(times, day).count == 1


def test_the_edge_of_a_month_is_that_of_the_plant() -> None:
    """23:30 on 28 February in UTC is 1 March in Shanghai."""
    late = [at_ns(-1800)]
    month = stretch(-DAY_S, DAY_S)
    in_utc = {each.label: each.count for each in days_of(late, month, UTC)}
    there = {each.label: each.count for each in days_of(late, month, ZoneInfo("Asia/Shanghai"))}
    assert in_utc == {"2026-02-28": 1, "2026-03-01": 0}
    assert there == {"2026-02-28": 0, "2026-03-01": 1, "2026-03-02": 0}


def test_leap_days_are_days() -> None:
    begin_ns = ns_from_utc(datetime(2028, 2, 28, tzinfo=UTC))
    days = days_of([], Stretch(begin_ns, begin_ns + 3 * DAY_S * NS_PER_S), UTC)
    assert [each.label for each in days] == ["2028-02-28", "2028-02-29", "2028-03-01"]


SECONDS = st.lists(st.integers(0, 4000), max_size=60).map(sorted)


@given(SECONDS, st.integers(0, 2000), st.integers(1, 3000))
@examples(60)
def test_peak_and_bins_as_by_plain_counting(
    seconds: list[int], begin_s: int, length_s: int
) -> None:
    times, part = [at_ns(s) for s in seconds], stretch(begin_s, begin_s + length_s)
    within = [s for s in seconds if begin_s <= s < begin_s + length_s]
    counted = max((sum(t - 600 < s <= t for s in within) for t in within), default=0)
    assert peak_of(times, part).count == counted
    bins = sorted({s // 600 for s in range(begin_s, begin_s + length_s)})
    over = sum(sum(s // 600 == each for s in within) > 10 for each in bins)
    assert share_of_bins_over(10, TEN_MINUTES_NS, times, part) == over / len(bins)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 14)), max_size=8),
    st.integers(0, 3000),
    st.integers(1, 4000),
)
@examples(40)
def test_floods_as_by_looking_each_second(
    bursts: list[tuple[int, int]], begin_s: int, length_s: int
) -> None:
    """The rule, word by word: begun while it is over ten, ended when it is below five."""
    seconds = sorted(minute * 60 + number for minute, count in bursts for number in range(count))
    end_s = begin_s + length_s
    told = [s for s in seconds if s < end_s]
    episodes: list[list[int | None]] = []
    is_flooded = False
    for second in range(end_s):
        trailing = sum(second - 600 < s <= second for s in told)
        if not is_flooded and trailing > 10:
            episodes.append([second, None])
            is_flooded = True
        elif is_flooded and trailing < 5:
            episodes[-1][1] = second
            is_flooded = False
    expected = [each for each in episodes if each[1] is None or each[1] > begin_s]
    found = floods_of(announced_at(*seconds), stretch(begin_s, end_s))
    assert [
        [
            (each.begin_ns - BEGIN_NS) // NS_PER_S,
            None if each.end_ns is None else (each.end_ns - BEGIN_NS) // NS_PER_S,
        ]
        for each in found
    ] == expected


def test_hours_are_those_of_the_clock() -> None:
    part = stretch(1800, 3 * 3600)
    found = hours_of([at_ns(1800), at_ns(3600)], part, ZoneInfo("Asia/Shanghai"))
    assert [(each.label, each.count) for each in found] == [
        ("08:30", 1),
        ("09:00", 1),
        ("10:00", 0),
    ]
