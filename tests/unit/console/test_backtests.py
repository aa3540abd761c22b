"""Backtests over HTTP: who may look, what is refused, and what a hostile folder cannot do."""

import json
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from meltwatch_console.adapters.backtest_trace import MOST_COLUMNS, trace_of
from meltwatch_console.adapters.http.backtests import backtest_routes
from meltwatch_console.adapters.http.gate import Gate
from meltwatch_console.adapters.web_server import web_app
from meltwatch_console.domain.identity import ConsoleRole, Visitor
from meltwatch_schemas.backtest import BacktestRun
from pydantic import ValidationError

from tests.support.backtest_folders import ALARM, FURNACE, run_of, told, windows, write_backtest
from tests.unit.console.asking import ask


class RoleGate(Gate):
    """Lets everybody in under one role."""

    def __init__(self, role: ConsoleRole) -> None:
        super().__init__(None)
        object.__setattr__(self, "role", role)

    def who(self, request: Request) -> Visitor:
        return Visitor("li", self.role)


def site(folder: Path | None, role: ConsoleRole = ConsoleRole.ENGINEER) -> FastAPI:
    return web_app([backtest_routes(RoleGate(role), folder)])


async def test_the_list_says_what_was_tried_and_names_what_cannot_be_read(tmp_path):
    run = run_of(thresholds={"all": [3.5, None]})
    kept = {"labels": 2, "raised": 2, "raised_live": 2, "kept": 1, "lost": 1}
    run["labels"] = {"true_alarm": kept, "false_alarm": kept, "raised_without_label": 0}
    write_backtest(tmp_path / "one", run)
    (write_backtest(tmp_path / "bad") / "run.json").write_text("[" * 50_000)
    status, _, body = await ask(site(tmp_path), "/api/v1/backtests")
    found = json.loads(body)
    assert status == 200
    (row,) = found["backtests"]
    assert row["sentence"] == "raises: 2 → 2; 10.0, 2.5 s later; 0 more, 0 fewer"
    assert (row["tried"], row["median_shift_s"]) == ("all: 3.5 / own", 6.2)
    assert row["labels"]["false_alarm"]["lost"] == 1
    (bad,) = found["unreadable"]
    assert bad["name"] == "bad"
    assert "recursion" in bad["reason"]


async def test_without_a_folder_that_is_said(tmp_path):
    _, _, body = await ask(site(None), "/api/v1/backtests")
    assert json.loads(body) == {"is_set": False, "backtests": [], "unreadable": []}
    _, _, body = await ask(site(tmp_path / "not yet"), "/api/v1/backtests")
    assert json.loads(body) == {"is_set": True, "backtests": [], "unreadable": []}
    status, _, _ = await ask(site(None), "/api/v1/backtests/one")
    assert status == 404


@pytest.mark.parametrize("role", [ConsoleRole.VIEW, ConsoleRole.OPERATE])
@pytest.mark.parametrize(
    "path", ["", "/one", "/one/report", "/one/against/one", "/one/scores?furnace=a"]
)
async def test_engineers_alone_may_look(tmp_path, role, path):
    write_backtest(tmp_path / "one")
    status, _, body = await ask(site(tmp_path, role), f"/api/v1/backtests{path}")
    assert (status, json.loads(body)["error"]["code"]) == (403, "not_your_role")


async def test_two_are_held_against_each_other(tmp_path):
    write_backtest(tmp_path / "one")
    write_backtest(tmp_path / "two", run_of(run_id="other", ours=(110,)))
    _, _, body = await ask(site(tmp_path), "/api/v1/backtests/one/against/two")
    found = json.loads(body)
    assert [each["name"] for each in found["facts"]] == [f"raises of {ALARM}"]
    assert (found["raises"]["more"], found["raises"]["fewer"]) == (0, 1)


async def test_the_report_comes_with_a_policy_that_lets_it_do_nothing(tmp_path):
    folder = write_backtest(tmp_path / "one")
    (folder / "report.html").write_text("<script>alert(1)</script>")
    status, headers, body = await ask(site(tmp_path), "/api/v1/backtests/one/report")
    assert (status, body) == (200, b"<script>alert(1)</script>")
    policy = headers["content-security-policy"].split("; ")
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert not any(each.startswith("script-src") for each in policy)
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/..%2fsecret", "/..%2fsecret/report", "/%2e%2e", "/linked", "/linked/report",
        "/linked/scores?furnace=a", "/one/against/linked", "/piped/report", "/nobody/report",
        "/one%00/report", "/one/report/../../../secret/report.html",
    ],
)  # fmt: skip
async def test_no_path_or_link_leads_out_of_the_folder(tmp_path, path):
    outside = write_backtest(tmp_path / "secret")
    (outside / "report.html").write_text("secret")
    root = tmp_path / "root"
    write_backtest(root / "one")
    (root / "linked").symlink_to(outside)
    piped = write_backtest(root / "piped")
    (piped / "report.html").unlink()
    (piped / "report.html").symlink_to(outside / "report.html")
    status, _, body = await ask(site(root), f"/api/v1/backtests{path}")
    assert status in {404, 422}
    assert b"secret" not in body.replace(b"..%2fsecret", b"")


async def test_the_trace_of_a_furnace_keeps_its_peaks(tmp_path):
    write_backtest(tmp_path / "one")
    path = f"/api/v1/backtests/one/scores?furnace={FURNACE}"
    _, _, body = await ask(site(tmp_path), path)
    found = json.loads(body)
    assert found["columns"] == ["end_ms", "low", "high"]
    assert len(found["rows"]) == len([w for w in windows() if w["window_end"] < told(600)])
    assert max(high for _, _, high in found["rows"]) == 5.0
    _, _, body = await ask(site(tmp_path), "/api/v1/backtests/one/scores?furnace=another")
    assert json.loads(body)["rows"] == []


async def test_windows_of_somebody_elses_making_are_refused(tmp_path):
    folder = write_backtest(tmp_path / "one")
    (folder / "windows.jsonl").write_text(f'{{"furnace_id": "{FURNACE}", "logit": "high"}}\n')
    path = f"/api/v1/backtests/one/scores?furnace={FURNACE}"
    status, _, body = await ask(site(tmp_path), path)
    assert (status, json.loads(body)["error"]["code"]) == (404, "no_backtest")


def test_a_long_run_makes_no_larger_trace_than_a_picture_shows():
    run = BacktestRun.from_json(json.dumps(run_of(to=told(80_000))).encode())
    line = windows()[0]
    lines = (
        json.dumps(
            line | {"window_end": told(1.44 * n), "logit": 9.0 if n == 777 else -4.0}
        ).encode()
        for n in range(1, 40_000)
    )
    columns = trace_of(lines, FURNACE, run)
    assert len(columns) <= MOST_COLUMNS
    assert max(column.high for column in columns) == 9.0
    assert [c.end_ms for c in columns] == sorted(c.end_ms for c in columns)


def test_a_line_that_is_none_is_not_passed_over():
    run = BacktestRun.from_json(json.dumps(run_of()).encode())
    with pytest.raises(ValidationError):
        trace_of([f'{{"furnace_id": "{FURNACE}"'.encode()], FURNACE, run)
