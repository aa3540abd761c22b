"""A folder of backtests is anybody's: what cannot be read says why and harms no neighbour."""

import json
import os

import pytest
from meltwatch_chassis import backtest_folder
from meltwatch_chassis.backtest_folder import (
    NoBacktestError,
    backtest_file,
    content_of,
    lines_of,
    list_backtests,
    read_backtest,
    read_named,
)

from tests.support.backtest_folders import run_of, write_backtest


def test_the_newest_run_stands_first_and_the_unreadable_last(tmp_path):
    write_backtest(tmp_path / "old", finished_s=0)
    write_backtest(tmp_path / "new", finished_s=60)
    (tmp_path / "empty").mkdir()
    found = list_backtests(tmp_path)
    assert [each.name for each in found] == ["new", "old", "empty"]
    assert found[0].run.answer.sentence == "raises: 2 → 2; 10.0, 2.5 s later; 0 more, 0 fewer"
    assert found[2].reason == "expected a file run.json, found none"


def test_a_folder_of_an_earlier_version_is_read(tmp_path):
    run = run_of()
    del run["answer"]
    for point in run["alarms"]:
        del point["on_delay_s"], point["off_delay_s"]
    entry = read_backtest(write_backtest(tmp_path / "early", run))
    assert entry.run.answer is None
    assert entry.run.alarms[0].setpoint == "2.9 / 0.9"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "EOF"),
        ("[" * 100_000, "recursion"),
        ("[]", "object"),
        ('{"run_id": 7}', "run_id"),
        (json.dumps(run_of() | {"from": "yesterday"}), "from"),
        (json.dumps(run_of() | {"thresholds": {"all": [1e400, None]}}), "thresholds"),
        (json.dumps(run_of() | {"windows": {"../../etc": {}}}), "windows"),
        (json.dumps(run_of() | {"run_id": "\x1b[2J"})[:-40], "EOF"),
        ("\x00\xff", "JSON"),
    ],
)
def test_what_is_no_result_says_why_and_harms_no_neighbour(tmp_path, text, reason):
    write_backtest(tmp_path / "good")
    bad = write_backtest(tmp_path / "bad")
    (bad / "run.json").write_text(text)
    good, refused = list_backtests(tmp_path)
    assert (good.name, good.reason) == ("good", "")
    assert refused.run is None
    assert reason.lower() in refused.reason.lower()
    assert refused.reason.isprintable()
    assert len(refused.reason) <= 300
    with pytest.raises(NoBacktestError):
        read_backtest(bad)


def test_no_link_is_followed_and_only_plain_files_are_opened(tmp_path):
    outside = write_backtest(tmp_path / "elsewhere" / "run")
    root = tmp_path / "root"
    linked = write_backtest(root / "linked-file")
    (linked / "run.json").unlink()
    (linked / "run.json").symlink_to(outside / "run.json")
    piped = write_backtest(root / "piped")
    (piped / "run.json").unlink()
    os.mkfifo(piped / "run.json")
    (root / "linked-folder").symlink_to(outside)
    reasons = {each.name: each.reason for each in list_backtests(root)}
    assert reasons["linked-file"] == "run.json: expected no link"
    assert reasons["linked-folder"] == "linked-folder: expected no link"
    assert reasons["piped"] == "run.json: expected a plain file"
    with pytest.raises(NoBacktestError, match="no link"):
        read_named(root, "linked-folder")


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "../elsewhere", "a\0b", "-x", "ä" * 9])
def test_a_name_leads_nowhere_else(tmp_path, name):
    write_backtest(tmp_path / "root" / "one")
    with pytest.raises(NoBacktestError), backtest_file(tmp_path / "root", name, "run.json", 999):
        pass


def test_what_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(backtest_folder, "MAX_RUN_BYTES", 100)
    write_backtest(tmp_path / "large")
    (entry,) = list_backtests(tmp_path)
    assert entry.reason.startswith("run.json: expected at most 100 bytes")


def test_lines_and_content_stay_within_bounds(tmp_path):
    folder = write_backtest(tmp_path / "one")
    with backtest_file(tmp_path, "one", "report.html", 1000) as number:
        assert content_of(number, 15) == b"<!DOCTYPE html>"
    (folder / "windows.jsonl").write_bytes(b"x" * 70_000)
    with (
        backtest_file(tmp_path, "one", "windows.jsonl", 10**6) as number,
        pytest.raises(NoBacktestError, match="lines of at most"),
    ):
        list(lines_of(number))


def test_when_it_ran_is_beside_the_point(tmp_path):
    folder = write_backtest(tmp_path / "one")
    (folder / "timing.json").write_text("{")
    assert read_named(tmp_path, "one").finished is None


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(NoBacktestError, match="nowhere"):
        list_backtests(tmp_path / "nowhere")
