"""A threshold of novelty from what normal operation surprised by, held against the rule itself."""

from pathlib import Path

import numpy as np
import pytest
from meltwatch_backtester.domain.novelty_setpoint import (
    NOVELTY_RULE,
    NoveltyFinding,
    SurpriseWatch,
    find_novelty_setpoint,
)
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.watch import Abnormal
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.point_file import read_points
from meltwatch_core.alarms.condition import Condition, Sample, decided, due, observe
from meltwatch_core.portraits.novelty import JUDGED_EVERY
from meltwatch_schemas.alarm_point import Setpoint
from meltwatch_schemas.default_points import built_in
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.support.builders import novelty, window_score

HOP_NS = PUBLISHED_SPEC.hop_ns
DAY = 86_400 * NS_PER_S // HOP_NS // JUDGED_EVERY
SPAN = Span(0, 100 * 86_400 * NS_PER_S)
A, B = "a" * 64, "b" * 64


def surprises(seed: int, judged: int) -> np.ndarray:
    """Of windows one after the other: each a new draw, kept until the next window is judged."""
    drawn = np.random.default_rng(seed).exponential(1 / np.log(10), judged)
    # What is unusual lasts: the larger of neighbours is as rare, and stands for half a minute.
    lasting = np.maximum.reduce([drawn[n : judged - 3 + n] for n in range(4)])
    return np.repeat(np.minimum(lasting, 12.0), JUDGED_EVERY)


def watched(*furnaces: np.ndarray) -> SurpriseWatch:
    watch = SurpriseWatch()
    for number, series in enumerate(furnaces):
        for at, surprise in enumerate(series.tolist()):
            watch.add_surprise(f"f{number}", at * HOP_NS, surprise, A)
    return watch


@pytest.fixture(scope="module")
def two_days() -> NoveltyFinding:
    """What is found on two days of two furnaces, for four false alarms a furnace-day."""
    watch = watched(surprises(1, 2 * DAY), surprises(2, 2 * DAY))
    return find_novelty_setpoint(watch, SPAN, (), 4.0)


def raises(series: np.ndarray, on: float) -> int:
    """How often an alarm manager raises by a threshold."""
    rule = NOVELTY_RULE
    setpoint = Setpoint(
        logit_on=on,
        logit_off=on - rule.deadband,
        on_delay_s=rule.on_delay_s,
        off_delay_s=rule.off_delay_s,
    )
    condition, count = Condition(), 0
    for number, surprise in enumerate(series.tolist()):
        condition = observe(condition, Sample(number * HOP_NS, surprise, number), setpoint)
        if due(condition, setpoint):
            condition = decided(condition)
            count += condition.active
    return count


def test_the_delays_are_those_of_the_class() -> None:
    own = (built_in()["novelty"] or {})["setpoint"]
    assert (NOVELTY_RULE.on_delay_s, NOVELTY_RULE.off_delay_s) == (
        own["on_delay_s"],
        own["off_delay_s"],
    )


def test_an_alarm_manager_raises_about_as_often_as_the_budget_says(
    two_days: NoveltyFinding,
) -> None:
    """Found on two days of two furnaces, held against five other furnace-days."""
    found = two_days
    assert found.setpoint is not None
    assert found.setpoint["novelty_on"] - found.setpoint["novelty_off"] == pytest.approx(0.5)
    assert (found.setpoint["on_delay_s"], found.setpoint["off_delay_s"]) == (20.0, 120.0)
    others = surprises(99, 5 * DAY)
    assert 1.0 <= raises(others, found.setpoint["novelty_on"]) / 5 <= 10.0
    assert found.portraits == {"f0": A, "f1": A}
    assert f"portrait {A[:16]}" in found.setpoint_basis


def test_the_alarm_points_to_paste_are_those_of_the_rule(
    two_days: NoveltyFinding, tmp_path: Path
) -> None:
    found = two_days
    lines = list(found.lines())
    file = tmp_path / "points.yaml"
    start = lines.index("alarm_points:")
    file.write_text("\n".join(lines[start : start + 9]))
    points = read_points(file)
    assert [point.alarm_id for point in points] == ["f0/NOVELTY", "f1/NOVELTY"]
    for point in points:
        setpoint = point.setpoint
        assert found.setpoint == {name: getattr(setpoint, name) for name in found.setpoint or ()}
        assert setpoint.on - setpoint.off == pytest.approx(NOVELTY_RULE.deadband)
        assert point.setpoint_basis == found.setpoint_basis


def test_too_few_peaks_give_no_setpoint_and_say_so() -> None:
    found = find_novelty_setpoint(watched(surprises(1, DAY // 4)), SPAN, (), 0.5)
    assert found.setpoint is None
    assert "expected 50 separate peaks to fit, got" in "\n".join(found.lines())
    assert found.document()["refusal"].startswith("expected 50 separate peaks")


def test_a_stretch_that_was_none_counts_until_its_own_alarm_is_over() -> None:
    series = surprises(1, DAY)
    series[5000:5100] = 11.0
    seen = range(5000 * HOP_NS, 5100 * HOP_NS)
    stretch = Abnormal(Span(seen.start, seen.stop))
    with_it = find_novelty_setpoint(watched(series), SPAN, (), 0.5)
    without = find_novelty_setpoint(watched(series), SPAN, [stretch], 0.5)
    assert with_it.basis.highest > 10 > without.basis.highest
    windows = with_it.basis.windows - without.basis.windows
    assert windows == pytest.approx(100 + 240 / 1.44, abs=2), "it and 240 s"


def test_scores_that_judge_nothing_leave_a_gap() -> None:
    watch = SurpriseWatch()
    for number, score in enumerate(
        (
            {"novelty": novelty(video=3.0, current=None)},
            {"novelty": None},
            {"novelty": novelty(), "reasons": (Reason.PORTRAIT_STALE,)},
            {"novelty": novelty(video=None, current=None)},
            {"novelty": novelty(video=1.0, current=2.0)},
        )
    ):
        watch.add_score(window_score((1 + number) * HOP_NS, "f", -5.0, **score))
    ends, told = watch.surprises.of("f")
    assert list(zip(ends.tolist(), told.tolist(), strict=True)) == [
        (HOP_NS, 3.0),
        (5 * HOP_NS, 2.0),
    ]


def test_each_furnace_is_judged_by_one_portrait() -> None:
    with pytest.raises(BadUsage, match=r"expected scores with a novelty from .*, got none"):
        find_novelty_setpoint(SurpriseWatch(), SPAN, (), 0.5)
    watch = watched(surprises(1, 100))
    watch.add_surprise("f1", 0, 1.0, B)
    watch.add_surprise("f0", 700 * HOP_NS, 1.0, B)
    with pytest.raises(BadUsage, match=r"one portrait of f0 from .*, got a{16}, b{16}"):
        find_novelty_setpoint(watch, SPAN, (), 0.5)
