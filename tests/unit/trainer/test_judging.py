import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from meltwatch_core.alarms.setpoints.held_level import AlarmRule
from meltwatch_trainer.errors import PageError, ScoresError
from meltwatch_trainer.judge.alarm_figures import alarm_outcome, raised_by_rule
from meltwatch_trainer.judge.case_pictures import CasePicture, draw_cases
from meltwatch_trainer.judge.case_study import choose_cases
from meltwatch_trainer.judge.evaluation import Outputs, judged, write
from meltwatch_trainer.judge.fusion import fit_aggregate, fit_fusion
from meltwatch_trainer.judge.judging import JudgingVerdict, SetVerdict, Terms, judge_study
from meltwatch_trainer.judge.row_figures import Judged
from meltwatch_trainer.judge.scores import Scores
from meltwatch_trainer.judge.scores_file import read_scores, write_scores
from meltwatch_trainer.judge.statistics import fit_platt
from meltwatch_trainer.judge.verdict_document import document
from meltwatch_trainer.network.availability import AVAILABILITY
from PIL import Image

from tests.unit.trainer.synthetic_scores import synthetic_scores

QUALITY = {
    "a": 5.0,
    "b": 5.5,
    "c": 5.2,
    "faithful": 3.6,
    "no_levels": 4.5,
}
STATES = tuple(AVAILABILITY)
MEMBERS = ("a", "b", "c")


def scores_of(seed: int, furnaces: int = 20) -> Scores:
    return synthetic_scores(seed, QUALITY, furnaces, STATES)


@pytest.fixture(scope="module")
def verdict() -> JudgingVerdict:
    return judge_study(scores_of(1, 30), {"test": scores_of(2)}, Terms())


@pytest.fixture(scope="module")
def found(verdict: JudgingVerdict) -> SetVerdict:
    return verdict.sets[0]


def row(found: SetVerdict, name: str) -> Judged:
    return next(judged for judged in found.judged if judged.name == name)


def value(found: SetVerdict, name: str, figure: str) -> float:
    estimated = row(found, name).estimate(figure)
    assert estimated is not None
    return estimated.value


def test_the_aggregate_has_a_line_per_state_and_member_and_one_for_the_mean() -> None:
    scores = scores_of(1)
    scale, shift = fit_aggregate(scores, MEMBERS)
    assert scale.shape == shift.shape == (3, 4)
    assert scale.dtype == np.float32
    line = fit_platt(scores.logits["b/video"][scores.clear], scores.label[scores.clear] == 1)
    assert (scale[1, 1], shift[1, 1]) == pytest.approx((line.scale, line.shift), rel=1e-5)


def test_agreeing_networks_are_fused_to_surer_log_odds_and_differing_ones_disagree() -> None:
    scores = scores_of(1)
    alike = replace(scores, logits={f"{name}/both": scores.logits["a/both"] for name in MEMBERS})
    assert fit_fusion(alike, MEMBERS, "both").disagreement(alike).max() < 1e-9
    fusion = fit_fusion(scores, MEMBERS, "both")
    assert fusion.disagreement(scores).min() > 0
    expected = fusion.mean(fusion.member_logits(scores).mean(axis=0))
    assert fusion.logits(scores) == pytest.approx(expected)


def test_calibrating_needs_both_classes_and_every_network() -> None:
    scores = scores_of(1, furnaces=2)
    with pytest.raises(ScoresError, match="one kind"):
        fit_fusion(replace(scores, label=np.zeros_like(scores.label)), ("a",), "both")
    with pytest.raises(ScoresError, match="no_cross in state video"):
        fit_fusion(scores, ("no_cross",), "video")


def test_the_served_rows_share_the_highest_of_their_thresholds(verdict: JudgingVerdict) -> None:
    served = [judge for judge in verdict.judges if judge.served]
    assert len(served) == 3
    assert {judge.logit_on for judge in served} == {max(j.basis.logit_on for j in served)}
    assert verdict.served_basis.logit_on == verdict.served.logit_on


def test_a_better_network_shows_more_faults_for_the_same_budget(found: SetVerdict) -> None:
    assert value(found, "ensemble", "recall") > value(found, "faithful", "recall")
    assert value(found, "ensemble", "auroc") > value(found, "faithful", "auroc")
    assert found.differences["faithful"]["auroc"].excludes_zero


def test_false_alarms_come_with_exact_bounds(found: SetVerdict) -> None:
    estimated = row(found, "never").estimate("false_per_day")
    assert estimated is not None
    assert (estimated.value, estimated.low) == (0.0, 0.0)
    assert estimated.high == pytest.approx(3.689 / found.normal_days, rel=1e-3)


def test_alarms_that_never_look_are_worth_what_chance_is_worth(found: SetVerdict) -> None:
    assert value(found, "always", "recall") == 1.0
    assert value(found, "always", "false_per_day") > 1000
    assert value(found, "never", "recall") == 0.0
    assert value(found, "random", "recall") < 0.5
    alarms = [value(found, name, "alarms_per_day") for name in ("random", "ensemble")]
    assert alarms[0] == pytest.approx(alarms[1], rel=0.25)


def test_a_missed_fault_has_an_infinite_delay(found: SetVerdict) -> None:
    assert value(found, "never", "delay_median_s") == np.inf
    assert 5.5 <= value(found, "ensemble", "delay_median_s") < 12
    delays = row(found, "ensemble").delays
    assert (np.diff(delays) >= 0).all()
    assert delays[5] == 0.0


def test_pixels_are_summed_over_furnaces_before_they_are_divided(found: SetVerdict) -> None:
    pixels = scores_of(2).pixels["a/both"].sum(axis=0)
    assert value(found, "a", "iou") == pytest.approx(pixels[0] / pixels.sum())
    assert row(found, "never").estimate("iou") is None


def test_rows_that_were_not_scored_are_left_out(found: SetVerdict) -> None:
    names = {judged.name for judged in found.judged}
    assert "no_cross" not in names
    assert {"no_levels", "faithful", "always", "never", "random"} <= names


def test_the_verdict_is_the_same_again() -> None:
    scores = scores_of(1, furnaces=4)
    first, again = (judge_study(scores, {"test": scores}, Terms()) for _ in range(2))
    assert document(first) == document(again)


def test_scores_on_disk_are_the_scores(tmp_path: Path) -> None:
    scores = scores_of(1, furnaces=2)
    write_scores(tmp_path / "some" / "test.npz", scores)
    again = read_scores(tmp_path / "some" / "test.npz")
    assert again.furnaces == scores.furnaces
    np.testing.assert_array_equal(again.durations_s, scores.durations_s)
    assert again.hop_s == scores.hop_s
    for name in ("run", "end_s", "label", "fault_end_s", "fault_silent"):
        assert getattr(again, name).dtype == getattr(scores, name).dtype
        assert (getattr(again, name) == getattr(scores, name)).all()
    assert again.logits.keys() == scores.logits.keys()
    assert (again.pixels["a/both"] == scores.pixels["a/both"]).all()


def test_files_that_are_not_scores_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ScoresError, match="score first"):
        read_scores(tmp_path / "test.npz")
    (tmp_path / "test.npz").write_text("no")
    with pytest.raises(ScoresError, match="expected scores") as refused:
        read_scores(tmp_path / "test.npz")
    assert "\n" not in str(refused.value)


PLACES = (
    "thresholds",
    *(f"{what} on {name}" for what in ("figures", "calibration") for name in ("test", "shifted")),
)


def outputs_in(folder: Path, places: tuple[str, ...]) -> Outputs:
    page = folder / "models.md"
    parts = "\n".join(
        f"<!-- {name}: generated -->\nstale words\n<!-- {name}: end -->" for name in places
    )
    page.write_text(f"# Models\n\n{parts}\n\nAfter.\n")
    return Outputs(page, folder / "images", folder / "evaluation.json")


def test_one_call_writes_tables_figures_and_document(tmp_path: Path) -> None:
    sets = ("calibration", "test", "shifted")
    verdict = judged({name: scores_of(seed, furnaces=6) for seed, name in enumerate(sets)})
    outputs = outputs_in(tmp_path, PLACES)
    write(verdict, outputs)
    page = outputs.page.read_text()
    assert page.startswith("# Models")
    assert page.endswith("After.\n")
    assert "stale words" not in page
    assert page.count("**Simulated**") == 2
    assert "| random, at the ensemble's rate of alarms |" in page
    content = json.loads(outputs.document.read_text())
    assert content["simulated"] is True
    recall = content["sets"]["shifted"]["rows"]["ensemble"]["recall"]
    assert 0 <= recall["low"] <= recall["value"] <= recall["high"] <= 1
    figures = {path.name for path in outputs.images.iterdir()}
    assert figures == {"roc.svg", "delay.svg", "calibration.svg", "recall-by-kind.svg"}
    first = {path: path.read_bytes() for path in outputs.images.iterdir()}
    write(verdict, outputs)
    assert {path: path.read_bytes() for path in outputs.images.iterdir()} == first


def test_a_page_without_its_markers_is_refused_and_left_alone(
    tmp_path: Path, verdict: JudgingVerdict
) -> None:
    outputs = outputs_in(tmp_path, PLACES[:1])
    before = outputs.page.read_text()
    with pytest.raises(PageError, match="figures on test"):
        write(verdict, outputs)
    assert outputs.page.read_text() == before


def test_cases_are_the_soonest_the_last_the_missed_and_the_loudest_false_ones() -> None:
    scores = scores_of(2, furnaces=4)
    logits = fit_fusion(scores, ("faithful",), "both").logits(scores)
    raised = raised_by_rule(scores, logits, [AlarmRule(deadband=2.0).setpoint(8.0)] * 4)
    raised[0].append(10.0)
    raised[0].sort()
    outcome = alarm_outcome(scores, raised)
    assert not outcome.shown.all()
    cases = choose_cases(scores, logits, outcome)
    titles = [case.title for case in cases]
    assert titles[0].startswith(f"shown after {outcome.delay_s.min():.0f} s")
    assert sum(title.startswith("shown") for title in titles) == 4
    assert sum(title.startswith("missed") for title in titles) == min(2, (~outcome.shown).sum())
    assert "false alarm" in titles
    assert all(scores.run[case.window] == case.run for case in cases)


def test_cases_are_drawn_as_one_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    case = CasePicture(
        title="missed, veiled",
        frame=rng.integers(0, 256, (64, 64, 3), dtype=np.uint8),
        mask=np.eye(64, dtype=np.uint8),
        anomaly_map=rng.random((64, 64), dtype=np.float32),
        currents=rng.random((240, 3), dtype=np.float32),
        since_s=np.arange(-50.0, 50.0),
        logits=rng.normal(size=100),
        faults_s=[(-20.0, 30.0)],
    )
    draw_cases(tmp_path / "images" / "cases.png", [case, case], logit_on=3.0)
    with Image.open(tmp_path / "images" / "cases.png") as picture:
        assert picture.width > 2 * picture.height > 100
