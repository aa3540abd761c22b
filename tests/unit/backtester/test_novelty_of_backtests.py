"""Portraits at the command line of backtests: which are tried, what is said, what is read back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from meltwatch_backtester.adapters.result_folder import ResultFolder
from meltwatch_backtester.commands.backtest import _lines, _portraits
from meltwatch_backtester.domain.novelty_told import novelty_lines
from meltwatch_chassis.errors import FatalError
from meltwatch_cli.command_tree import root
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.portrait import encode_portrait
from meltwatch_schemas.window import PUBLISHED_SPEC

from tests.support.builders import NOON_NS, novelty, portrait, window_score
from tests.unit.backtester.reports import run_of, window_lines, write_run

OURS, ANOTHER = "plant/hall/FMF-01", "plant/hall/FMF-02"
FIRST_NS = PUBLISHED_SPEC.first_end_after(OURS, NOON_NS)
SPAN = ("backtest", "--from", "10m", "--to", "now")


def saved(folder: Path, name: str, furnace_id: str = OURS) -> Path:
    file = folder / name
    file.write_bytes(encode_portrait(portrait(furnace_id=furnace_id)))
    return file


def ask(*words: object) -> Any:
    return root()(list(map(str, words)), result_action="return_value")


def refusal(*words: object) -> str:
    with pytest.raises(FatalError) as caught:
        ask(*words)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_one_portrait_of_each_furnace_is_tried(tmp_path: Path) -> None:
    files = [saved(tmp_path, "a", OURS), saved(tmp_path, "b", ANOTHER)]

    found = _portraits(files, ())

    assert found == {OURS: files[0].read_bytes(), ANOTHER: files[1].read_bytes()}


def test_what_cannot_be_tried_is_one_line(tmp_path: Path) -> None:
    one, again = saved(tmp_path, "a"), saved(tmp_path, "b")
    strange = tmp_path / "c"
    strange.write_bytes(b"\xc1" * 200_000)

    assert f"{again}: expected one of each furnace, got two of {OURS}" in refusal(
        *SPAN, "--portrait", one, "--portrait", again
    )
    told = refusal(*SPAN, "--furnace", ANOTHER, "--portrait", one)
    assert f"{one}: expected one of {ANOTHER} (--furnace), got one of {OURS}" in told
    assert "c: expected a portrait, too_large" in refusal(*SPAN, "--portrait", strange)
    assert "No such file" in refusal(*SPAN, "--portrait", tmp_path / "nothing")


def counted(**counts: int) -> dict[str, int]:
    return {"computed": 0, "carried_over": 0, "unknown_before": 0} | counts


def told(**changes: Any) -> list[str]:
    return list(novelty_lines(run_of(**changes)))


def test_where_novelties_come_from_is_said() -> None:
    assert told() == []
    furnaces = {
        OURS: counted(computed=40),
        ANOTHER: counted(computed=2, carried_over=3, unknown_before=1),
    }
    again, gone, unknown = told(novelty={"furnaces": furnaces, "largest_difference": 0.0})
    assert again == "novelty: 42 windows compared with a portrait again"
    assert gone.startswith("novelty: 3 windows as live said it")
    assert unknown.startswith("novelty: 1 windows as live said it")


def test_a_portrait_that_is_tried_is_said_and_what_it_lacks() -> None:
    tried = {"portraits": {OURS: "a" * 64}}
    compared = {"novelty": {"furnaces": {OURS: counted(computed=9)}, "largest_difference": None}}
    point = {"alarm_id": f"{OURS}/NOVELTY", "state": "NORM", "raises": 0}

    (line,) = told(**tried)
    assert line == f"portrait tried: {OURS}: {'a' * 16}; no window of it is in this span"
    _, line, lacking = told(**tried, **compared)
    assert line == f"portrait tried: {OURS}: {'a' * 16}"
    assert "no alarm point NOVELTY" in lacking
    assert len(told(**tried, **compared, alarms=[point])) == 2


def test_people_read_it_in_the_terminal_and_in_the_report(tmp_path: Path) -> None:
    run = run_of(portraits={OURS: "a" * 64})
    (line,) = novelty_lines(run)

    assert line in _lines({**run, "folder": tmp_path})
    assert line in write_run(tmp_path, run, window_lines())
    other = tmp_path / "other"
    other.mkdir()
    assert "Portraits" not in write_run(other, run_of(), window_lines())


@pytest.fixture
def backtest(tmp_path: Path) -> Path:
    """A folder of two furnaces; for ten windows their portraits are stale and judge nothing."""
    draws = np.random.default_rng(2).exponential(0.4, 300).repeat(7).tolist()
    with ResultFolder(tmp_path / "run") as folder:
        for number, surprise in enumerate(draws):
            for name in (OURS, ANOTHER):
                seen = novelty(video=min(surprise, 12.0), current=None)
                reasons = ("portrait_stale",) if 100 <= number < 110 else ()
                end_ns = FIRST_NS + number * PUBLISHED_SPEC.hop_ns
                score = window_score(end_ns, name, novelty=seen, reasons=reasons)
                folder.window(score, None, None, is_late=False)
        until_ns = FIRST_NS + len(draws) * PUBLISHED_SPEC.hop_ns
        times = {"from": rfc3339(utc_from_ns(FIRST_NS)), "to": rfc3339(utc_from_ns(until_ns))}
        folder.finish({**times, "model": {"digest": "0" * 64}}, {})
    return folder.path


def test_a_threshold_of_novelty_is_found_in_a_backtest(
    backtest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("alarms", "setpoint", "--of", "novelty", "--budget", 2, "--backtest", backtest)

    assert ask(*words, "--furnace", OURS, "--json") == 1, "too few peaks"

    found = json.loads(capsys.readouterr().out)
    assert (found["furnaces"], found["portraits"]) == ([OURS], {OURS: "a" * 64})
    assert found["thresholds"][0]["novelty_on"] > found["thresholds"][-1]["novelty_on"]
    ask(*words, "--json")
    both = json.loads(capsys.readouterr().out)
    assert both["furnaces"] == [OURS, ANOTHER]
    assert both["windows"] == 2 * found["windows"]
    later = rfc3339(utc_from_ns(FIRST_NS + 1000 * PUBLISHED_SPEC.hop_ns))
    ask(*words, "--json", "--from", later, "--to", "now")
    assert json.loads(capsys.readouterr().out)["windows"] < both["windows"]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"surprise": "3"},
        {"surprise": 13.0},
        {"surprise": float("nan")},
        {"portrait": "\x1b[2J"},
        {"portrait": 7},
        {"window_end": "noon"},
        {"furnace_id": "\x1b[2J"},
    ],
)
def test_what_a_stranger_wrote_into_a_folder_is_one_line(
    backtest: Path, spoilt: dict[str, Any]
) -> None:
    file = backtest / "windows.jsonl"
    first, *rest = file.read_text().splitlines()[2:]
    file.write_text("\n".join([json.dumps(json.loads(first) | spoilt), *rest]))

    told = refusal("alarms", "setpoint", "--of", "novelty", "--budget", 2, "--backtest", backtest)

    assert "--backtest: expected the folder of a finished backtest" in told
    assert "\x1b" not in told


def test_a_backtest_without_portraits_has_no_threshold(tmp_path: Path) -> None:
    with ResultFolder(tmp_path / "run") as folder:
        folder.window(window_score(FIRST_NS, OURS), None, None, is_late=False)
        span = {"from": rfc3339(utc_from_ns(FIRST_NS)), "to": "2030-01-01T00:00:00.000000Z"}
        folder.finish({**span, "model": {"digest": "0" * 64}}, {})

    told = refusal(
        "alarms", "setpoint", "--of", "novelty", "--budget", 2, "--backtest", folder.path
    )

    assert "expected scores with a novelty" in told
