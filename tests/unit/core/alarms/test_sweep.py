"""The rule over stored scores decides as the rule does, sample by sample."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.condition import (
    MAX_SILENCE_RECORDS,
    Condition,
    Sample,
    decided,
    due,
    observe,
)
from meltwatch_core.alarms.sweep import Activation, LevelSeries, activations, recalled
from meltwatch_schemas.alarm_point import Setpoint
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

HOP_NS = PUBLISHED_SPEC.hop_ns
T0_NS = 1_800_000_000 * NS_PER_S

setpoints = st.builds(
    lambda on, gap, on_s, off_s, votes: Setpoint(
        logit_on=on, logit_off=on - gap, on_delay_s=on_s, off_delay_s=off_s,
        k=votes and min(votes), n=votes and max(votes),
    ),
    st.sampled_from([-1.0, 0.0, 1.0]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([0.0, 1.44, 3.0]),
    st.sampled_from([0.0, 2.0]),
    st.none() | st.tuples(st.integers(1, 4), st.integers(1, 4)),
)  # fmt: skip
windows = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 1, 2, 3, -1]),
        st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, float("nan")]),
        st.sampled_from([1, 1, 1, MAX_SILENCE_RECORDS, MAX_SILENCE_RECORDS + 1]),
        st.sampled_from(["a", "a", "a", "a", "b"]),
    ),
    max_size=60,
)


def one_by_one(samples: list[Sample], setpoint: Setpoint, condition: Condition) -> list[Activation]:
    """Say the same as ``activations``, without a jump."""
    found = [Activation(None, None, None)] if condition.active else []
    for sample in samples:
        condition = observe(condition, sample, setpoint)
        change = due(condition, setpoint)
        if change is None:
            continue
        if condition.active:
            found[-1] = replace(found[-1], cleared_ns=change.at_ns)
        else:
            found.append(Activation(change.first_ns, change.at_ns, sample.end_ns))
        condition = decided(condition)
    return found


@pytest.mark.parametrize("has_portraits", [False, True])
@given(steps=windows, setpoint=setpoints, is_active=st.booleans())
def test_it_decides_as_the_rule_does_sample_by_sample(
    has_portraits: bool,
    steps: list[tuple[int, float, int, str]],
    setpoint: Setpoint,
    is_active: bool,
) -> None:
    ends = T0_NS + HOP_NS * np.cumsum([hops for hops, *_ in steps], dtype=np.int64)
    levels = [level for _, level, *_ in steps]
    places = np.cumsum([records for _, _, records, _ in steps], dtype=np.int64)
    portraits = [portrait if has_portraits else None for *_, portrait in steps]
    newest, samples = 0, []
    for end, level, place, portrait in zip(
        ends.tolist(), levels, places.tolist(), portraits, strict=True
    ):
        if end > newest and level == level:  # noqa: PLR0124 - NaN alone differs from itself
            samples.append(Sample(end, level, place, portrait))
        newest = max(newest, end)
    begins = Condition(active=is_active)

    names = portraits if has_portraits else None
    found = activations(LevelSeries.of(ends, levels, places, names), setpoint, begins)

    assert found == one_by_one(samples, setpoint, begins)
    half = len(samples) // 2
    before, after = (
        LevelSeries.of(
            [each.end_ns for each in part],
            [each.level for each in part],
            [each.position for each in part],
            [each.portrait for each in part] if has_portraits else None,
        )
        for part in (samples[:half], samples[half:])
    )
    condition = begins
    for sample in samples[:half]:
        condition = observe(condition, sample, setpoint)
    later = activations(after, setpoint, recalled(before, setpoint, begins))
    assert later == one_by_one(samples[half:], setpoint, condition)


def test_it_is_raised_when_its_delay_has_passed_and_cleared_after_its_own() -> None:
    levels = [0.0, 3.0, 3.0, 3.0, 3.0, 3.0, 1.5, 0.0, 0.0, 0.0, 0.0]
    ends = T0_NS + HOP_NS * np.arange(len(levels))
    setpoint = Setpoint(logit_on=2.0, logit_off=1.0, on_delay_s=5.5, off_delay_s=4.0)

    (found,) = activations(LevelSeries.of(ends, levels), setpoint)

    assert found.first_ns == ends[1]
    assert found.raised_ns == ends[1] + round(5.5 * NS_PER_S)
    assert found.window_end_ns == ends[5]
    assert found.cleared_ns == ends[7] + 4 * NS_PER_S


@pytest.mark.parametrize(("on", "raises"), [(1.9, 1), (2.0, 1), (2.1, 0)])
def test_a_level_at_the_threshold_counts(on: float, raises: int) -> None:
    series = LevelSeries.of([T0_NS, T0_NS + HOP_NS], [0.0, 2.0])

    assert len(activations(series, Setpoint(logit_on=on, logit_off=0.0))) == raises


def test_an_alarm_that_stood_before_is_only_cleared() -> None:
    series = LevelSeries.of([T0_NS], [0.0])

    found = activations(series, Setpoint(logit_on=2.0, logit_off=1.0), Condition(active=True))

    assert found == [Activation(None, None, None, T0_NS)]


def test_portraits_stay_with_their_levels_where_windows_fall_out() -> None:
    """Three windows of one portrait raise; the one between them without a level is another's."""
    ends = T0_NS + HOP_NS * np.arange(5)
    levels = [0.0, 4.0, float("nan"), 4.0, 4.0]
    setpoint = Setpoint(logit_on=0, logit_off=0, novelty_on=3, novelty_off=3, on_delay_s=4.32)
    whole = LevelSeries.of(ends, levels, portraits=["b", "a", "b", "a", "a"])

    for series in (whole, whole.after_ns(int(ends[0]))):
        (found,) = activations(series, setpoint)
        assert found.first_ns == ends[1]
    assert activations(LevelSeries.of(ends, levels, portraits=list("babab")), setpoint) == []
    later = LevelSeries.of(ends, levels, portraits=list("bbaaa")).after_ns(int(ends[1]))
    assert [later.sample(index).portrait for index in range(2)] == ["a", "a"]


def test_nothing_is_found_in_nothing() -> None:
    assert activations(LevelSeries.of([], []), Setpoint(logit_on=2.0, logit_off=1.0)) == []


def test_a_hundred_setpoints_ask_the_rule_about_few_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A day of calm windows and one fault: only what stirs the alarm is judged."""
    asked = []

    def counted(*args: object) -> Condition:
        asked.append(args)
        return observe(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("meltwatch_core.alarms.sweep.observe", counted)
    levels = np.full(60_000, -4.0)
    levels[30_000:30_050] = 12.0
    series = LevelSeries.of(T0_NS + HOP_NS * np.arange(levels.size), levels)

    for on in np.linspace(0.0, 10.0, 100):
        setpoint = Setpoint(logit_on=on, logit_off=on - 2.0, on_delay_s=5.5, off_delay_s=4.0)
        assert len(activations(series, setpoint)) == 1

    assert len(asked) < 100 * 20
