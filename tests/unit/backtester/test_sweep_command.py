"""``meltwatch backtests sweep``: equal to real backtests, chosen in one span, tested in another."""

import asyncio
import json
from xml.etree import ElementTree as ET

import pytest
from meltwatch_backtester.commands.sweep import Demand, SweepFiles, Tried, sweep
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.sweeping import Setting, StoredScores, swept
from meltwatch_backtester.domain.thresholds import parse_thresholds
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.label_file import labels_as_json
from meltwatch_chassis.point_file import read_points
from meltwatch_core.alarms.sweep import LevelSeries
from meltwatch_schemas.alarm import AlarmVerdict
from meltwatch_schemas.default_setpoint import DEFAULT_SETPOINT
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.labels import Label
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.support.backtest_folders import ALARM, FURNACE, at, run_of, told, windows, write_backtest
from tests.unit.backtester.pipeline.past import Past, replay
from tests.unit.backtester.pipeline.test_backtest import plant_records

HALVES = Demand(
    budget=0.0, calibrate=f"{told(0)}/{told(300)}", test=f"{told(300)}/{told(600)}"
)  # fmt: skip


@pytest.fixture(scope="module")
def steady() -> Past:
    return asyncio.run(Past.of(plant_records()))


@pytest.mark.parametrize(("on", "off"), [(4.5, 2.5), (-6.0, -8.0), (5.0, 3.0), (5.1, 3.1)])
async def test_a_sweep_raises_when_a_real_backtest_with_the_setting_does(steady, on, off):
    outcome, noted = await replay(steady, thresholds=parse_thresholds([f"{on}/{off}"]))
    real: dict[str, list[int]] = {}
    for record in outcome.alarms:
        if record.transition.cause == "RAISE" and record.alarm_id.endswith("/OVERHEAT"):
            real.setdefault(record.equipment_path, []).append(ns_from_utc(record.raise_time))
    nothing = LevelSeries.of([], [])
    for furnace_id in {score.furnace_id for score in steady.scores}:
        said = [s for s in noted.scores if s.furnace_id == furnace_id and s.logit is not None]
        series = LevelSeries.of([s.window_end_ns for s in said], [s.logit for s in said])
        stored = StoredScores(furnace_id, DEFAULT_SETPOINT, nothing, series, is_active=False)
        raised = [ns // 1000 * 1000 for ns in stored.raises(Setting(on))]
        assert raised == real.get(furnace_id, [])
    assert bool(real) == (on <= 5.0)


def stored(*highs: tuple[float, float, float]) -> StoredScores:
    """600 s of a furnace at -4, and higher from one second to another."""
    ends = [ns_from_utc(at(0)) + (n + 1) * PUBLISHED_SPEC.hop_ns for n in range(416)]
    levels = [-4.0] * len(ends)
    for index, end_ns in enumerate(ends):
        second = (end_ns - ns_from_utc(at(0))) / NS_PER_S
        levels[index] = max([-4.0, *(h for a, b, h in highs if a <= second < b)])
    nothing = LevelSeries.of([], [])
    return StoredScores(
        FURNACE, DEFAULT_SETPOINT, nothing, LevelSeries.of(ends, levels), is_active=False
    )


def span(start: float, end: float) -> Span:
    return Span(ns_from_utc(at(start)), ns_from_utc(at(end)))


def label(start: float, end: float) -> Label:
    return Label(furnace=FURNACE, start=at(start), end=at(end), verdict=AlarmVerdict.TRUE_ALARM)


def test_the_setting_is_chosen_in_one_span_and_tested_in_the_other():
    scores = stored((50, 80, 3.0), (150, 190, 6.0), (350, 380, 5.0), (450, 490, 6.0))
    settings = [Setting(on) for on in (2.5, 3.5, 5.5, 7.0)]
    labels = [label(145, 200), label(445, 500)]
    found = swept([scores], settings, (span(0, 300), span(300, 600)), labels, 0.0)
    assert [each.calibration.false_alarms for each in found.tried] == [1, 0, 0, 0]
    assert [each.calibration.found for each in found.tried] == [1, 1, 1, 0]
    assert found.chosen.setting == Setting(3.5), "the lowest that keeps the budget and finds it"
    assert found.chosen.test.false_alarms == 1, "which the first span could not know"
    assert (found.chosen.test.found, found.chosen.test.events) == (1, 1)
    assert 10 < found.chosen.test.median_after_s < 14
    assert found.caution is not None


def test_of_settings_that_find_the_same_the_soonest_is_taken():
    scores = stored((150, 190, 6.0))
    settings = [Setting(3.5, 20.0), Setting(3.5, 3.0), Setting(3.5, 10.0)]
    found = swept([scores], settings, (span(0, 300), span(300, 600)), [label(145, 200)], 1.0)
    assert found.chosen.setting.on_delay_s == 3.0


def test_a_budget_that_nothing_keeps_chooses_nothing():
    scores = stored((50, 80, 9.0))
    found = swept([scores], [Setting(2.5)], (span(0, 300), span(300, 600)), [], 1.0)
    assert found.chosen is None


@pytest.mark.parametrize("second", [span(299, 600), span(0, 300), span(100, 200), span(0, 600)])
def test_spans_that_overlap_are_refused(second):
    with pytest.raises(BadUsage, match="do not overlap"):
        swept([stored()], [Setting(2.5)], (span(0, 300), second), [], 1.0)


def test_a_span_without_scores_says_nothing_of_false_alarms():
    with pytest.raises(BadUsage, match="--test: expected scores"):
        swept([stored()], [Setting(2.5)], (span(0, 300), span(900, 950)), [], 1.0)


@pytest.fixture
def folder(tmp_path):
    found = write_backtest(tmp_path / "run", run_of())
    lines = windows()
    for line in lines:
        if told(200) < line["window_end"] < told(240):
            line["logit"] = 3.5
    (found / "windows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    labels = tmp_path / "labels.json"
    labels.write_text(labels_as_json([label(100, 145)]))
    return found


def test_the_proposal_is_what_alarm_points_apply_takes(folder, tmp_path, capsys):
    out, picture = tmp_path / "points.yaml", tmp_path / "sweep.svg"
    files = SweepFiles(labels=tmp_path / "labels.json", out=out, picture=picture)
    assert sweep(folder, demand=HALVES, tried=Tried(on="3:6:0.5", delay="own,3"), files=files) == 0
    (point,) = read_points(out)
    assert point.alarm_id == ALARM
    assert (point.setpoint.logit_on, point.setpoint.logit_off) == (4.0, 2.0), "deadband kept"
    assert (point.setpoint.on_delay_s, point.setpoint.off_delay_s) == (3.0, 4.0)
    assert "sweep of backtest 5d1f0c" in point.setpoint_basis
    assert point.setpoint_digest == "0" * 64
    printed = capsys.readouterr()
    assert "<- chosen" in printed.out
    assert f"meltwatch alarms points apply {out}" in printed.out
    assert "default alarm points" in printed.err
    drawn = [node.get("class") for node in ET.parse(picture).iter() if node.get("class")]  # noqa: S314 - our own
    assert sorted(drawn) == ["calibration", "calibration", "chosen", "test", "test"]


def test_the_plants_own_points_keep_their_texts(folder, tmp_path):
    out = tmp_path / "points.yaml"
    files = SweepFiles(labels=tmp_path / "labels.json", out=out)
    sweep(folder, demand=HALVES, tried=Tried(on="4:4:1"), files=files)
    text = out.read_text().replace("operator_action: ", "operator_action: Call Li. ", 1)
    own = tmp_path / "own.yaml"
    own.write_text(text)
    files = SweepFiles(labels=tmp_path / "labels.json", out=out, points=own)
    sweep(folder, demand=HALVES, tried=Tried(on="5:5:1"), files=files)
    (point,) = read_points(out)
    assert point.operator_action.startswith("Call Li.")
    assert point.setpoint.logit_on == 5.0


def test_programs_get_every_setting(folder, capsys):
    assert sweep(folder, demand=HALVES, tried=Tried(on="3:6:0.5"), as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["tried"]) == 7
    assert found["tried"][0]["calibration"]["false_alarms"] == 2
    assert found["proposal"] == [ALARM]


@pytest.mark.parametrize(
    ("demand", "tried", "reason"),
    [
        (Demand(1.0, f"{told(0)}/{told(300)}", f"{told(200)}/{told(600)}"), Tried(), "not overlap"),
        (Demand(1.0, told(0), f"{told(200)}/{told(600)}"), Tried(), "--calibrate: expected FROM"),
        (Demand(1.0, f"{told(0)}/{told(300)}", f"{told(300)}/{told(900)}"), Tried(), "a part of"),
        (HALVES, Tried(on="3"), "LOW:HIGH:STEP"),
        (HALVES, Tried(on="3:6:0"), "LOW:HIGH:STEP"),
        (HALVES, Tried(on="nan:6:1"), "LOW:HIGH:STEP"),
        (HALVES, Tried(on="0:1e9:1e-9"), "LOW:HIGH:STEP"),
        (HALVES, Tried(on="0:1e9:1"), "LOW:HIGH:STEP"),
        (HALVES, Tried(on="6:3:1"), "LOW:HIGH:STEP"),
        (HALVES, Tried(delay="soon"), "LOW:HIGH:STEP"),
        (HALVES, Tried(delay="-1"), "LOW:HIGH:STEP"),
    ],
)
def test_what_makes_no_sense_is_one_line(folder, demand, tried, reason):
    with pytest.raises(BadUsage, match=reason) as refusal:
        sweep(folder, demand=demand, tried=tried)
    assert len(str(refusal.value).splitlines()) == 1
