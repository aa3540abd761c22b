from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.condition import (
    MAX_GAP_NS,
    MAX_SILENCE_RECORDS,
    Condition,
    Sample,
    decided,
    due,
    observe,
)
from meltwatch_schemas.alarm_point import Setpoint
from meltwatch_schemas.window import NS_PER_S

from tests.unit.core.alarms.samples import HOP_NS, setpoint

HIGH, BETWEEN, LOW = 3.0, 1.0, -1.0


def samples(logits, start_ns=0):
    """One sample a hop; None leaves a window out."""
    return [
        Sample(start_ns + index * HOP_NS, logit, index)
        for index, logit in enumerate(logits)
        if logit is not None
    ]


def changes(series, thresholds):
    """Return (sample index in time, change) of all decisions over a series."""
    condition, found = Condition(), []
    for sample in series:
        condition = observe(condition, sample, thresholds)
        change = due(condition, thresholds)
        if change is not None:
            found.append((sample.end_ns // HOP_NS, change.first_ns, change.at_ns))
            condition = decided(condition)
    return found


def test_a_condition_that_holds_for_exactly_the_on_delay_raises():
    thresholds = setpoint(on_delay_s=4.32)
    assert changes(samples([LOW, HIGH, HIGH, HIGH, HIGH]), thresholds) == [(4, HOP_NS, 4 * HOP_NS)]


def test_a_condition_that_holds_one_window_less_than_the_on_delay_does_not():
    assert changes(samples([HIGH, HIGH, HIGH, LOW, LOW]), setpoint(on_delay_s=4.32)) == []


def test_a_clearing_sample_at_the_very_expiry_of_the_delay_wins():
    assert changes(samples([HIGH, HIGH, HIGH, LOW]), setpoint(on_delay_s=4.32)) == []


def test_no_delay_raises_with_the_first_sample():
    assert changes(samples([HIGH]), setpoint(on_delay_s=0)) == [(0, 0, 0)]


def test_raise_time_is_when_the_delay_had_passed_though_no_window_ended_then():
    assert changes(samples([HIGH] * 3), setpoint(on_delay_s=2.0)) == [(2, 0, 2 * NS_PER_S)]


def test_swinging_within_the_deadband_raises_once():
    swing = [HIGH, BETWEEN] * 20
    assert len(changes(samples(swing), setpoint(on_delay_s=4.32))) == 1


def test_samples_within_the_deadband_start_no_delay():
    assert changes(samples([BETWEEN] * 20), setpoint(on_delay_s=0)) == []


def test_the_thresholds_themselves_count_as_high_and_as_not_low():
    thresholds = setpoint(logit_on=2.0, logit_off=0.0, on_delay_s=0, off_delay_s=0)
    assert len(changes(samples([2.0, 0.0, 0.0]), thresholds)) == 1


def test_clearing_takes_the_whole_off_delay():
    series = samples([HIGH, LOW, LOW, LOW, HIGH, LOW, LOW, LOW, LOW])
    thresholds = setpoint(on_delay_s=0, off_delay_s=4.32)
    assert [index for index, *_ in changes(series, thresholds)] == [0, 8]


def test_a_gap_freezes_a_delay_without_resetting_it():
    series = samples([HIGH, HIGH, HIGH, None, None, None, None, HIGH, HIGH])
    thresholds = setpoint(on_delay_s=4.32)
    # 2 hops before the gap, the gap itself not, 1 hop behind it: expired then, in event time.
    assert changes(series, thresholds) == [(8, 0, 8 * HOP_NS)]


def test_one_missing_window_is_no_gap():
    assert MAX_GAP_NS == 2 * HOP_NS
    series = samples([HIGH, None, HIGH, None, HIGH])
    assert changes(series, setpoint(on_delay_s=4.32)) == [(4, 0, 3 * HOP_NS)]


def test_k_of_n_raises_with_the_kth_high_window_among_the_last_n():
    thresholds = setpoint(k=3, n=5)
    assert changes(samples([HIGH, LOW, HIGH, BETWEEN, HIGH]), thresholds) == [(4, 0, 4 * HOP_NS)]
    assert changes(samples([HIGH, LOW, LOW, HIGH, LOW, HIGH]), thresholds) == []


def test_k_of_n_needs_its_oldest_high_window_again():
    thresholds = setpoint(k=3, n=5)
    condition = Condition()
    for sample in samples([LOW, HIGH, LOW, LOW]):
        condition = observe(condition, sample, thresholds)
    assert condition.needed_from(4) == 1


def test_a_running_delay_needs_its_first_sample_and_a_finished_one_nothing():
    thresholds = setpoint(on_delay_s=4.32)
    condition = Condition()
    for sample in samples([LOW, HIGH, BETWEEN]):
        condition = observe(condition, sample, thresholds)
    assert condition.needed_from(3) == 1
    assert decided(condition).needed_from(3) is None


def test_a_delay_that_hears_nothing_for_too_many_records_is_given_up():
    thresholds = setpoint(on_delay_s=1.44)
    condition = observe(Condition(), Sample(0, HIGH, 0), thresholds)
    assert condition.needed_from(MAX_SILENCE_RECORDS) == 0
    assert condition.needed_from(MAX_SILENCE_RECORDS + 1) is None
    last = Sample(HOP_NS, HIGH, MAX_SILENCE_RECORDS)
    assert due(observe(condition, last, thresholds), thresholds) is not None
    later = replace(last, position=MAX_SILENCE_RECORDS + 1)
    assert due(observe(condition, later, thresholds), thresholds) is None


def oracle(series: list[Sample], thresholds: Setpoint) -> list[tuple[int, int, int]]:
    """Say the same by searching the whole past at each sample: slow, and without any state."""
    found: list[tuple[int, int, int]] = []
    active, decided_at = False, -1
    for now in range(len(series)):
        speaks = [
            (s.level < thresholds.logit_off) if active else (s.level >= thresholds.logit_on)
            for s in series
        ]
        against = [
            (s.level >= thresholds.logit_on) if active else (s.level < thresholds.logit_off)
            for s in series
        ]
        spoken = [i for i in range(decided_at + 1, now + 1) if speaks[i]]
        unbroken = [i for i in spoken if not any(against[i : now + 1])]
        if not unbroken:
            continue
        first = unbroken[0]
        steps = [series[i + 1].end_ns - series[i].end_ns for i in range(first, now)]
        held_ns = sum(gap for gap in steps if gap <= MAX_GAP_NS)
        delay_s = thresholds.off_delay_s if active else thresholds.on_delay_s
        excess_ns = held_ns - round(delay_s * NS_PER_S)
        if excess_ns >= 0:
            end_ns = series[now].end_ns
            found.append((end_ns // HOP_NS, series[first].end_ns, end_ns - excess_ns))
            active, decided_at = not active, now
    return found


logits = st.sampled_from([HIGH, 2.0, BETWEEN, 0.0, LOW, None])
delays_s = st.sampled_from([0.0, 1.0, 1.44, 2.88, 4.0, 8.64])


@given(st.lists(logits, max_size=60), delays_s, delays_s)
def test_decisions_equal_those_of_a_search_through_the_past(series, on_delay_s, off_delay_s):
    thresholds = setpoint(on_delay_s=on_delay_s, off_delay_s=off_delay_s)
    assert changes(samples(series), thresholds) == oracle(samples(series), thresholds)


@given(st.lists(logits, max_size=60), delays_s)
def test_reading_again_from_where_it_is_needed_gives_the_same_delay(series, delay_s):
    thresholds = setpoint(on_delay_s=delay_s, off_delay_s=delay_s)
    condition, last_decision = Condition(), -1
    for sample in samples(series):
        condition = observe(condition, sample, thresholds)
        if due(condition, thresholds):
            condition, last_decision = decided(condition), sample.position
    needed = condition.needed_from(len(series))
    again = Condition(active=condition.active)
    for sample in samples(series):
        if sample.position > last_decision and needed is not None and sample.position >= needed:
            again = observe(again, sample, thresholds)
    assert (again.since, again.held_ns) == (condition.since, condition.held_ns)


@pytest.mark.parametrize("logit", [HIGH, BETWEEN, LOW])
def test_a_sample_alone_never_decides_while_a_delay_is_due_to_run(logit):
    assert changes(samples([logit]), setpoint(on_delay_s=1.44, off_delay_s=1.44)) == []
