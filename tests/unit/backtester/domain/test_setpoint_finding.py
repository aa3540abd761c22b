import functools
from itertools import accumulate

import numpy as np
import pytest
from meltwatch_backtester.domain.setpoint_finding import find_setpoint
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.watch import Abnormal, LogOddsWatch, Said
from meltwatch_chassis.errors import BadUsage
from meltwatch_core.alarms.condition import Condition, Sample, decided, due, observe
from meltwatch_schemas.alarm_point import Setpoint
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

HOP_NS = PUBLISHED_SPEC.hop_ns
DAY_WINDOWS = 86_400 * NS_PER_S // HOP_NS
SPAN = Span(0, 100 * 86_400 * NS_PER_S)


@functools.cache
def restless(seed: int, windows: int) -> np.ndarray:
    """Log-odds of a furnace that is always normal: they wander, with a memory of ten windows."""
    noise = np.random.default_rng(seed).normal(0.0, 1.0, windows)
    wandering = accumulate(
        noise.tolist(), lambda before, push: 0.9 * before + 0.44 * push, initial=0.0
    )
    return np.array(list(wandering)[1:]) - 6.0


def watched(furnaces: int, windows: int) -> tuple[LogOddsWatch, dict[str, np.ndarray]]:
    watch, logits = LogOddsWatch(), {}
    for number in range(furnaces):
        logits[f"f{number}"] = restless(number, windows)
        for at, logit in enumerate(logits[f"f{number}"].tolist()):
            watch.add_window(Said(f"f{number}", at * HOP_NS, logit, "m"))
    return watch, logits


def raises(logits: np.ndarray, setpoint: Setpoint) -> int:
    """How often the alarm manager raises."""
    condition, count = Condition(), 0
    for number, logit in enumerate(logits.tolist()):
        condition = observe(condition, Sample(number * HOP_NS, logit, number), setpoint)
        if due(condition, setpoint):
            condition = decided(condition)
            count += condition.active
    return count


def test_the_alarm_manager_raises_about_as_often_as_the_budget_says() -> None:
    """Found on a day of two furnaces, held against five other furnace-days."""
    watch, _ = watched(2, DAY_WINDOWS)
    found = find_setpoint(watch, SPAN, (), 4.0)
    assert found.setpoint is not None
    assert found.caution is None
    others = restless(99, 5 * DAY_WINDOWS)
    assert 1.0 <= raises(others, found.setpoint) / 5 <= 10.0


def test_what_was_raised_here_is_what_the_alarm_manager_would_have_raised() -> None:
    watch, logits = watched(2, DAY_WINDOWS // 2)
    found = find_setpoint(watch, SPAN, (), 20.0)
    assert found.setpoint is not None
    raised = sum(raises(series, found.setpoint) for series in logits.values())
    assert found.raised(found.setpoint.logit_on) == pytest.approx(raised, abs=2)


def test_a_budget_below_one_occasion_of_the_watch_is_called_extrapolated() -> None:
    watch, _ = watched(2, DAY_WINDOWS // 2)
    assert "extrapolated" in str(find_setpoint(watch, SPAN, (), 0.2).caution)


def test_a_short_watch_gives_reasons_and_no_set_point() -> None:
    watch, _ = watched(1, 300)
    found = find_setpoint(watch, SPAN, (), 4.0)
    assert found.setpoint is None
    assert found.document()["setpoint"] is None
    assert found.document()["setpoint_digest"] is None
    assert list(found.lines())[-1].startswith("no set-point yet: expected 50 separate peaks")


def test_people_and_programs_are_told_the_same() -> None:
    watch, _ = watched(2, DAY_WINDOWS // 2)
    found = find_setpoint(watch, SPAN, (), 4.0)
    text, document = "\n".join(found.lines()), found.document()
    assert document["setpoint_basis"] in text
    assert document["setpoint_digest"] == "m"
    assert "\nsetpoint_digest: m\n" in f"{text}\n"
    assert f"logit_on: {document['setpoint']['logit_on']}" in text
    asked = [line for line in text.splitlines() if line.endswith("<- asked for")]
    assert len(asked) == 1
    budgets = [row["false_alarms_per_furnace_day"] for row in document["thresholds"]]
    assert budgets == sorted(budgets)
    assert 4.0 in budgets


def test_a_known_fault_that_is_named_does_not_move_the_set_point() -> None:
    watch, _ = watched(2, DAY_WINDOWS // 2)
    before = find_setpoint(watch, SPAN, (), 4.0)
    for number in range(5000, 5100):
        watch.add_window(Said("f0", number * HOP_NS + SPAN.to_ns // 2, 15.0, "m"))
    fault = Span(SPAN.to_ns // 2, SPAN.to_ns)
    assert find_setpoint(watch, SPAN, (Abnormal(fault, "f0"),), 4.0).basis == before.basis
    assert find_setpoint(watch, SPAN, (), 4.0).basis != before.basis


def test_scores_of_two_models_are_refused() -> None:
    watch, _ = watched(1, 300)
    watch.add_window(Said("f0", 400 * HOP_NS, 1.0, "another"))
    with pytest.raises(BadUsage, match="got another, m; choose another span"):
        find_setpoint(watch, SPAN, (), 4.0)


def test_no_scores_at_all_are_one_line() -> None:
    with pytest.raises(BadUsage, match="got no scores"):
        find_setpoint(LogOddsWatch(), SPAN, (), 4.0)


def test_scores_that_are_all_abnormal_are_one_line() -> None:
    watch, _ = watched(1, 300)
    with pytest.raises(BadUsage, match="expected normal windows, got none"):
        find_setpoint(watch, SPAN, (Abnormal(SPAN),), 4.0)
