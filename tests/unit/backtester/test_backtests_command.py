"""``meltwatch backtests``: what is listed and compared, and what is refused."""

import json

import pytest
from meltwatch_backtester.commands.backtests import compare, list_, prune
from meltwatch_chassis.errors import BadUsage

from tests.support.backtest_folders import ALARM, run_of, write_backtest


def test_a_list_says_what_was_tried_and_what_came_of_it(tmp_path, capsys):
    run = run_of(thresholds={"all": [3.5, None]})
    kept = {"labels": 2, "raised": 2, "raised_live": 2, "kept": 1, "lost": 1}
    run["labels"] = {"true_alarm": kept, "false_alarm": kept, "raised_without_label": 0}
    write_backtest(tmp_path / "one", run)
    write_backtest(tmp_path / "two", finished_s=60)
    (tmp_path / "odd").mkdir()
    assert list_(tmp_path) == 0
    head, newest, older, unreadable = capsys.readouterr().out.splitlines()
    columns = "FOLDER RAN FROM TO MODEL THRESHOLDS VERDICT RAISES LATER JUDGED"
    assert head.split() == columns.split()
    assert newest.startswith("two ")
    assert "as recorded     same" in newest
    assert "2 → 2" in newest
    assert "6.2 s later" in newest
    assert "all: 3.5 / own" in older
    assert "1 true kept, 1 lost; 1 false kept, 1 lost" in older
    assert unreadable == "odd: expected a file run.json, found none"


def test_programs_get_the_same_as_json(tmp_path, capsys):
    write_backtest(tmp_path / "one")
    (tmp_path / "odd").mkdir()
    list_(tmp_path, as_json=True)
    one, odd = json.loads(capsys.readouterr().out)
    assert (one["name"], one["answer"]["median_shift_s"], one["reason"]) == ("one", 6.2, None)
    assert "occasions" not in one["answer"]
    assert odd == {"name": "odd", "reason": "expected a file run.json, found none"}


def test_no_folder_of_backtests_is_one_line(tmp_path, capsys):
    with pytest.raises(BadUsage, match="expected a folder of backtests"):
        list_(tmp_path / "nowhere")
    list_(tmp_path)
    assert capsys.readouterr().out == f"no backtest in {tmp_path}\n"


def test_the_newest_stay_and_what_is_no_backtest(tmp_path, capsys):
    for age, name in enumerate(("third", "second", "first")):
        write_backtest(tmp_path / name, finished_s=60 * age)
    (tmp_path / "odd").mkdir()
    elsewhere = write_backtest(tmp_path.with_name(f"{tmp_path.name}-elsewhere"))
    (tmp_path / "link").symlink_to(elsewhere)
    assert prune(tmp_path, keep=1) == 0
    told = [f"deleted {tmp_path / name}" for name in ("second", "third")]
    assert capsys.readouterr().out.splitlines() == told
    assert {each.name for each in tmp_path.iterdir()} == {"first", "odd", "link"}
    assert (elsewhere / "run.json").exists()
    prune(tmp_path, keep=0, as_json=True)
    assert json.loads(capsys.readouterr().out) == ["first"]


def test_what_cannot_be_deleted_is_one_line(tmp_path, monkeypatch):
    write_backtest(tmp_path / "one")

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("meltwatch_backtester.commands.backtests.shutil.rmtree", refuse)
    with pytest.raises(BadUsage, match=r"one: expected to delete it, got .*Permission denied"):
        prune(tmp_path, keep=0)


def test_two_are_held_against_each_other(tmp_path, capsys):
    one = write_backtest(tmp_path / "one")
    other = run_of(run_id="other", ours=(115, 480), thresholds={"all": [3.5, None]})
    two = write_backtest(tmp_path / "two", other)
    assert compare(one, two) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["5d1f0c0000000000", "other"]
    assert lines[1].split("  ")[0] == "thresholds asked for"
    assert len(lines) == 6
    assert lines[2] == "raises: 2 → 2; 5.0 s later; 1 more, 1 fewer"
    assert lines[3] == f"  {ALARM}: 2026-03-01T08:01:50.000000Z, 5.0 s later in the second"
    assert lines[4] == f"  {ALARM}: first alone, 2026-03-01T08:05:02.500000Z"
    assert lines[5] == f"  {ALARM}: second alone, 2026-03-01T08:08:00.000000Z"
    compare(one, two, as_json=True)
    assert json.loads(capsys.readouterr().out)["raises"]["more"] == 1


def test_the_same_is_said_to_be_the_same(tmp_path, capsys):
    one = write_backtest(tmp_path / "one")
    compare(one, one)
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("the same settings and counts")
    assert second == "raises: 2 → 2; at the same instants; 0 more, 0 fewer"


def test_what_is_no_backtest_is_refused_by_name(tmp_path):
    one = write_backtest(tmp_path / "one")
    for other in (tmp_path, tmp_path / "nowhere", one / "run.json"):
        with pytest.raises(BadUsage, match="expected the folder of a backtest") as refusal:
            compare(one, other)
        assert str(other) in str(refusal.value)
        assert len(str(refusal.value).splitlines()) == 1
