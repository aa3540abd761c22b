"""The arithmetic of the benchmark, and the pages that are made from it."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import page, sizing
from tests.bench.figure import MS, US, Figure, Goal, figure, table
from tests.bench.ledger import Record
from tests.bench.measure import Cost
from tests.bench.processes import Sample, cpu_ms_per_unit, units_per_s

TWICE = Figure("a.b", "a thing", US, (2.0, 4.0, 9.0), {"bare": (1.0, 2.0, 3.0)}, Goal(3.0))


def test_a_ratio_is_that_of_runs_in_the_same_turn() -> None:
    assert TWICE.ratio("bare") == 2.0
    assert TWICE.value == 4.0


@pytest.mark.parametrize(
    ("goal", "is_met"),
    [
        (Goal(3.0), False),
        (Goal(4.0), True),
        (Goal(2.0, of_ratio=True), True),
        (Goal(1.9, of_ratio=True), False),
        (Goal(2.1, of_ratio=True, at_least=True), False),
        (None, None),
    ],
)
def test_a_goal_is_met_or_missed(goal: Goal | None, is_met: bool | None) -> None:
    assert replace(TWICE, goal=goal).is_met is is_met


def test_a_goal_of_a_ratio_without_a_baseline_is_neither_met_nor_missed() -> None:
    assert replace(TWICE, goal=Goal(1.0, of_ratio=True), baselines={}).is_met is None


def test_costs_become_a_figure_in_its_unit() -> None:
    made = figure("a.b", "a thing", MS, {"ours": [Cost(0.002, 0.003)], "bare": [Cost(0.001, 0.0)]})

    assert (made.ours, made.wall, made.baselines["bare"]) == ((2.0,), (3.0,), (1.0,))


def test_work_is_followed_in_three_parts() -> None:
    samples = [Sample(n, 10 * n, {"it": 0.02 * n}, {}) for n in range(1, 8)]

    assert cpu_ms_per_unit(samples, "it") == pytest.approx((2.0, 2.0, 2.0))
    assert units_per_s(samples) == pytest.approx((10.0, 10.0, 10.0))


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = Record({"commit": "abc"}, {"a.b": TWICE}, {"c": "no server"}, {"a.b": 2.0})
    record.write(tmp_path / "record.json")

    assert Record.read(tmp_path / "record.json") == record


def test_what_is_measured_again_replaces_what_was_and_the_rest_stays() -> None:
    other = replace(TWICE, name="c.d")
    record = Record({}, {"a.b": TWICE, "c.d": other}, {"e": "no server", "f": "no room"})
    newer = Record({}, {"a.b": replace(TWICE, ours=(1.0,)), "e.f": other}, {"g": "late"})
    record.take(newer)

    assert (record.figures["a.b"].value, record.figures["c.d"]) == (1.0, other)
    assert record.failed == {"f": "no room", "g": "late"}


def test_a_page_says_what_is_missed_and_what_was_not_measured() -> None:
    record = Record(
        {"commit": "abc"}, {"join.b": replace(TWICE, name="join.b")}, {"run": "no room"}
    )
    written = page.page(record)

    assert table([record.figures["join.b"]]) in written
    assert "`join.b`: 4 µs, expected ≤ 3" in written
    assert "`run` could not be measured, or not whole: no room" in written


def test_a_size_is_windows_times_cost_and_says_what_was_not_measured() -> None:
    cost = Figure("manager.cpu", "a score", MS, (1.44,))
    lines = {need.what: need for need in sizing.needs(Record({}, {cost.name: cost}))}

    assert lines["manager cores, many scores at once"].amount(1_000) == pytest.approx(1.0)
    assert lines["active managers, one an area"].amount(1_000) == 2.0
    assert sizing.NOT_MEASURED in lines["worker cores"].line()


def test_a_manager_of_many_furnaces_costs_what_a_line_through_two_sizes_says() -> None:
    few = Figure("manager.live", "a score", MS, (1.44,))
    many = Figure("manager.live.many", "a score", MS, (0.36,))
    sizing_of_both = sizing.Sizing(Record({}, {few.name: few, many.name: many}))

    assert sizing_of_both.manager_cores(100) == pytest.approx(0.1)
    assert sizing_of_both.manager_cores(800) == pytest.approx(0.2)
    assert sizing_of_both.manager_cores(1_500) == pytest.approx(0.3)
    assert sizing.Sizing(Record({}, {few.name: few})).manager_cores(800) is None


def test_the_pages_are_those_of_what_was_recorded() -> None:
    record = Record.read()

    assert page.PAGE.read_text() == page.page(record), "run make bench"
    assert sizing.PAGE.read_text() == sizing.page(record), "run make bench"
