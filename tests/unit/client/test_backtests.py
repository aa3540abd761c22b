"""Another threshold over stored scores does what a real backtest with it does."""

import asyncio
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import meltwatch
import numpy as np
import pytest
from meltwatch_backtester.adapters.result_folder import ResultFolder
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.novelty import Novelty
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.window import NS_PER_S

from tests.support.input_records import live
from tests.unit.backtester.pipeline.past import Past
from tests.unit.client.backtest_folder import SPAN, write_backtest
from tests.unit.core.alarms.samples import FURNACE as JUDGED_FURNACE
from tests.unit.core.alarms.samples import novelty_point, score
from tests.unit.core.alarms.topic_log import TopicLog
from tests.unit.core.scoring.fakes import ENCODER

FURNACES = ("hall/FMF-01", "hall/FMF-02")
TRIED = [(-9.0, -9.0), (-4.0, -5.0), (0.0, -1.0), (1.0, None), (2.9, 0.9), (4.5, 4.5), (6.5, 0.0)]


@pytest.fixture(scope="module")
def past() -> Past:
    return asyncio.run(Past.of(live(FURNACES, 180, encoder=ENCODER)))


@pytest.fixture(scope="module")
def folder(past: Past, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("backtests") / "own"
    asyncio.run(write_backtest(found, past))
    return found


def happened(records: list[AlarmRecord]) -> list[tuple]:
    """Raises and clears of the alarms of heat, as a backtest records them."""
    return sorted(
        (record.alarm_id, record.transition.cause, time, record.evidence.window_end)
        for record in records
        if record.alarm_id.endswith("/OVERHEAT")
        for time in [
            {"RAISE": record.raise_time, "CLEAR": record.clear_time}.get(record.transition.cause)
        ]
        if time is not None
    )


def foretold(outcome: meltwatch.ThresholdOutcome) -> list[tuple]:
    """The same of an outcome; of a clear it does not say the window."""
    rows = outcome.alarms.rows()
    raises = [
        (r["alarm_id"], "RAISE", r["raise_time"], r["window_end"]) for r in rows if r["raise_time"]
    ]
    return sorted(
        [
            *raises,
            *((r["alarm_id"], "CLEAR", r["clear_time"], None) for r in rows if r["clear_time"]),
        ],
        key=str,
    )


@pytest.mark.parametrize(("on", "off"), TRIED)
async def test_it_raises_and_clears_what_a_backtest_with_these_thresholds_does(
    past, folder, tmp_path, on, off
):
    text = f"{on:g}" if off is None else f"{on:g}/{off:g}"
    real = await write_backtest(tmp_path / "tried", past, (text,))

    outcome = meltwatch.open_backtest(folder).try_threshold(on, off)

    told = happened(real.alarms)
    assert foretold(outcome) == sorted(
        [(name, cause, at, end if cause == "RAISE" else None) for name, cause, at, end in told],
        key=str,
    )
    assert outcome.raises == sum(cause == "RAISE" for _, cause, _, _ in told)


def test_the_thresholds_tell_apart(folder):
    """Else all would be alike, and their likeness would prove nothing."""
    backtest = meltwatch.open_backtest(folder)
    assert len({backtest.try_threshold(on, off).raises for on, off in TRIED}) >= 3


def test_windows_and_alarms_are_tables(folder):
    backtest = meltwatch.open_backtest(str(folder))

    assert backtest.run_id == "0123456789abcdef"
    assert (backtest.end - backtest.start).total_seconds() == (SPAN.to_ns - SPAN.from_ns) / NS_PER_S
    windows = backtest.windows.to_pandas()
    assert set(windows.furnace_id) == set(FURNACES)
    assert windows.window_end.dt.tz is not None
    assert backtest.windows.units == {
        "logit": "log-odds",
        "live_logit": "log-odds",
        "surprise": "1",
    }
    assert {"CLEAR"} <= set(backtest.alarms.to_polars()["cause"])


def test_delays_and_one_alarm_can_be_tried(folder):
    backtest = meltwatch.open_backtest(folder)
    one = backtest.try_threshold(0.0, -1.0, alarm=f"{FURNACES[0]}/OVERHEAT", on_delay_s=0.0)

    assert set(one.alarms.arrow.column("furnace_id").to_pylist()) == {FURNACES[0]}
    slow = backtest.try_threshold(0.0, -1.0, alarm=f"{FURNACES[0]}/OVERHEAT", on_delay_s=60.0)
    assert slow.raises < one.raises


def test_a_hundred_thresholds_take_seconds(folder):
    backtest = meltwatch.open_backtest(folder)
    began = time.process_time()
    for on in np.linspace(-5.0, 6.0, 100):
        backtest.try_threshold(float(on))
    assert time.process_time() - began < 30, "of a processor's time, whatever else runs"


@pytest.mark.parametrize(
    ("on", "off", "more"),
    [
        (1.0, 2.0, {}),
        (float("nan"), None, {}),
        (float("inf"), None, {}),
        (1.0, float("-inf"), {}),
        (1.0, None, {"on_delay_s": -1.0}),
        (1.0, None, {"alarm": "hall/FMF-01/CURRENT_LOST"}),
        (1.0, None, {"alarm": "hall/FMF-09/OVERHEAT"}),
    ],
)
def test_what_cannot_be_tried_is_refused_in_a_line(folder, on, off, more):
    with pytest.raises(meltwatch.BacktestError, match="expected") as refused:
        meltwatch.open_backtest(folder).try_threshold(on, off, **more)
    assert "\n" not in str(refused.value)


NOVELTY_ID = f"{JUDGED_FURNACE}/NOVELTY"


def compared(number: int, surprise: float | None, portrait: str, *reasons: str) -> WindowScore:
    seen = Novelty(portrait=portrait * 64, video=surprise)
    return replace(score(number, -3.0, reasons=reasons), novelty=seen)


def test_surprises_are_judged_by_the_rule_that_judged_them(folder, tmp_path):
    """Of stored windows the client foretells what the alarm manager does, portraits and all."""
    course = [
        *(compared(number, 4.0, "a") for number in range(10)),
        *(compared(number, 4.0, "b") for number in range(10, 30)),
        *(compared(number, 4.0, "b", "portrait_stale") for number in range(30, 40)),
        *(compared(number, None, "b") for number in range(40, 45)),
        *(compared(number, 0.5, "b") for number in range(45, 160)),
        *(compared(number, 2.8, "b") for number in range(160, 200)),
    ]
    stored = tmp_path / "stored"
    shutil.copytree(folder, stored)
    with ResultFolder(tmp_path / "lines") as results:
        for each in course[:5]:
            results.recalled(each)
        for each in course[5:]:
            results.window(each, None, None, is_late=False)
    for name in ("before.jsonl", "windows.jsonl"):
        shutil.copy(tmp_path / "lines" / name, stored / name)
    run = json.loads((stored / "run.json").read_text())
    point = {
        "alarm_id": NOVELTY_ID, "raises": 0, "logit_on": 0.0, "logit_off": 0.0, "on_delay_s": 20.0,
        "off_delay_s": 120.0, "novelty_on": 3.0, "novelty_off": 2.5,
    }  # fmt: skip
    (stored / "run.json").write_text(json.dumps(run | {"alarms": [point]}))
    backtest = meltwatch.open_backtest(stored)

    for on, off, raises in ((3.0, None, 1), (2.6, 2.5, 2), (4.5, None, 0)):
        outcome = backtest.try_threshold(on, off, alarm=NOVELTY_ID)
        tried = novelty_point(novelty_on=on, novelty_off=2.5)
        log = TopicLog(points={JUDGED_FURNACE: (tried,)})
        log.judge(course)
        wanted = [r for r in log.alarms() if r.alarm_id == NOVELTY_ID]
        times = [(r.raise_time, r.clear_time) for r in wanted if r.transition.cause == "RAISE"]
        rows = outcome.alarms.rows()
        assert outcome.raises == len(times) == raises
        assert [row["raise_time"] for row in rows] == [raised for raised, _ in times]
        cleared = [r.clear_time for r in wanted if r.transition.cause == "CLEAR"]
        assert [row["clear_time"] for row in rows if row["clear_time"]] == cleared
    assert backtest.windows.arrow.column("portrait").to_pylist()[0] == "a" * 64


def damaged(folder: Path, to: Path, name: str, text: str) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    (to / name).write_text(text)
    return to


@pytest.mark.parametrize("text", ["", "[]", "{", '{"run_id": 1}', "[" * 100_000])
def test_a_folder_that_is_none_is_refused(folder, tmp_path, text):
    with pytest.raises(meltwatch.BacktestError, match="damaged"):
        meltwatch.open_backtest(damaged(folder, tmp_path / "damaged", "run.json", text))


@pytest.mark.parametrize(
    "line",
    ["[]", "{", '{"furnace_id": 5}', "[" * 60_000, '{"window_end": "soon", "furnace_id": "x"}',
     '{"window_end": "2026-11-29T10:00:00Z", "furnace_id": "x", "logit": "high"}'],
)  # fmt: skip
def test_a_damaged_line_is_named(folder, tmp_path, line):
    found = damaged(folder, tmp_path / "damaged", "windows.jsonl", f"{line}\n")
    with pytest.raises(meltwatch.BacktestError, match=r"windows.jsonl|a line|lines"):
        meltwatch.open_backtest(found).windows  # noqa: B018 - reading it is the test


@pytest.mark.parametrize("name", ["before.jsonl", "windows.jsonl"])
@pytest.mark.parametrize(
    "line",
    ["{}", '{"furnace_id": "x"}', '{"furnace_id": "x", "window_end": "soon", "logit": 1}',
     '{"furnace_id": "hall/FMF-01", "window_end": null, "logit": 1}',
     '{"furnace_id": "hall/FMF-01", "window_end": 9e999, "logit": 1}'],
)  # fmt: skip
def test_a_damaged_line_is_no_score(folder, tmp_path, name, line):
    text = (folder / name).read_text()
    found = damaged(folder, tmp_path / "damaged", name, f"{text}{line}\n")
    with pytest.raises(meltwatch.BacktestError, match="damaged"):
        meltwatch.open_backtest(found).try_threshold(1.0)


@pytest.mark.parametrize("told", ['"high"', "[1]", "{}"])
def test_a_damaged_surprise_is_told(folder, tmp_path, told):
    line = '{"furnace_id": "x", "window_end": "2026-11-29T10:00:00Z", "logit": 1, "surprise": '
    run = json.loads((folder / "run.json").read_text())
    own = {"alarm_id": "x/NOVELTY", "imbalance_on": None, "novelty_on": 3.0}
    run["alarms"].append(run["alarms"][0] | own)
    found = damaged(folder, tmp_path / "damaged", "before.jsonl", f"{line}{told}}}\n")
    (found / "run.json").write_text(json.dumps(run))
    with pytest.raises(meltwatch.BacktestError, match="damaged"):
        meltwatch.open_backtest(found).try_threshold(1.0, alarm="x/NOVELTY")


def test_a_link_is_not_followed(folder, tmp_path):
    found = damaged(folder, tmp_path / "linked", "x", "")
    (found / "windows.jsonl").unlink()
    (found / "windows.jsonl").symlink_to(folder / "windows.jsonl")
    with pytest.raises(meltwatch.BacktestError, match="link"):
        meltwatch.open_backtest(found).try_threshold(1.0)


def test_a_folder_without_delays_says_so(folder, tmp_path):
    run = json.loads((folder / "run.json").read_text())
    for point in run["alarms"]:
        del point["on_delay_s"]
    old = damaged(folder, tmp_path / "old", "run.json", json.dumps(run))
    with pytest.raises(meltwatch.BacktestError, match="run the backtest again"):
        meltwatch.open_backtest(old).try_threshold(1.0)
