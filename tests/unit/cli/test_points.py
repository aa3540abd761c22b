"""``meltwatch alarms points`` before it talks to anybody: all faults, who and why."""

from pathlib import Path

import pytest
from meltwatch_chassis.errors import BadUsage, ConfigurationError
from meltwatch_cli.commands import points

GOOD = "alarm_points: [{alarm_class: overheat, equipment_path: a/b}]"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "points.yaml"


def test_a_good_file_is_said_to_be_one(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(GOOD)

    assert points.check(file) == 0
    assert "1 alarm points" in capsys.readouterr().out


def test_each_fault_has_a_line_and_the_last_line_says_how_many(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("alarm_points:\n- {equipment_path: a/b}\n- {alarm_class: x}")

    with pytest.raises(
        ConfigurationError, match="expected alarm points that can work, got"
    ) as told:
        points.check(file)

    lines = capsys.readouterr().err.splitlines()
    assert f"got {len(lines)} faults" in str(told.value)
    for name in ("consequence_if_no_action", "operator_action", "time_to_respond_s"):
        assert any(f"alarm_points.0.{name}: Field required" in line for line in lines)


def test_a_plant_file_is_checked_as_one(file: Path) -> None:
    file.write_text("furnaces: [{id: a/b, name: one, alarm_points: [{alarm_class: overheat}]}]")

    assert points.check(file, plant=True) == 0
    with pytest.raises(ConfigurationError, match="furnaces"):
        points.check(file)


@pytest.mark.parametrize("why", ["", " ", "a\x1b[2J", "x" * 2001])
def test_no_change_without_a_reason(file: Path, why: str) -> None:
    file.write_text(GOOD)

    with pytest.raises(BadUsage, match="--why"):
        points.apply(file, why=why, user="li", yes=True)


def test_no_change_without_a_name(file: Path) -> None:
    file.write_text(GOOD)

    with pytest.raises(BadUsage, match="--user"):
        points.apply(file, why="winter", user="", yes=True)


def test_a_file_that_is_not_there_is_one_line(file: Path) -> None:
    with pytest.raises(BadUsage, match="expected a file, got none"):
        points.check(file)


def test_who_changed_it_is_nothing_that_a_file_says(file: Path) -> None:
    change = "change: {by: me, why: so, at: 2026-11-29T00:00:00Z}"
    file.write_text(f"alarm_points: [{{alarm_class: overheat, equipment_path: a/b, {change}}}]")

    with pytest.raises(ConfigurationError, match="change: expected none"):
        points.check(file)
