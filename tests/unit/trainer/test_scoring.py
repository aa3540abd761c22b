"""Scores of a study of small networks with fresh weights, on one very short set of runs."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_trainer.data.furnace_run import FurnaceRun
from meltwatch_trainer.data.run_sets import RunSet
from meltwatch_trainer.data.simulated_runs import ORIGIN_NS, simulated_run
from meltwatch_trainer.errors import UnfinishedTrainingError
from meltwatch_trainer.judge.score_sets import score_set, scored_weights
from meltwatch_trainer.judge.scores_file import read_scores
from meltwatch_trainer.network.availability import AVAILABILITY
from meltwatch_trainer.network.steps import Aggregate, ServedAggregate
from meltwatch_trainer.settings import Settings
from meltwatch_trainer.train import trained
from meltwatch_trainer.train.build import build
from meltwatch_trainer.train.study import SHIPPED, StudyModel, study_model
from meltwatch_trainer.train.trained import trained_models, weights_path

from tests.unit.trainer.study_models import small

CPU = torch.device("cpu")
RUNS = RunSet("short", furnaces=2, minutes=11.0)
STUDY = tuple(small(study_model(name)) for name in (*SHIPPED, "faithful", "current_only"))
EVERY = 20
SEED = 3


@pytest.fixture(scope="module")
def run() -> FurnaceRun:
    return simulated_run(SEED, RUNS, EVERY, 0)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(trained, "STUDY", STUDY)
    settings = Settings(tmp_path, SEED, every=EVERY, workers=1)
    settings.models.mkdir(parents=True)
    for model in STUDY:
        write_weights(settings, model)
    return settings


def write_weights(settings: Settings, model: StudyModel) -> None:
    torch.save(build(model).state_dict(), weights_path(settings.models, model.name))


def scored(settings: Settings) -> list[int]:
    """Score and return how many furnaces were done at each report."""
    reports: list[int] = []
    score_set(settings, RUNS, CPU, lambda done, _: reports.append(done))
    return reports


def test_a_run_has_the_windows_of_the_product_and_the_truth_about_them(run: FurnaceRun) -> None:
    ends_ns = run.seen.ends_ns
    assert set(np.diff(ends_ns)) == {EVERY * PUBLISHED_SPEC.hop_ns}
    assert ends_ns[0] < ORIGIN_NS < ends_ns[1]
    glowing = np.unpackbits(run.drawn_masks, axis=-1).any(axis=(1, 2))
    assert glowing[run.labels == 1].all()
    assert not glowing[run.labels == 0].any()
    within = np.zeros(len(ends_ns), dtype=bool)
    for fault in run.faults:
        within |= (fault.start_ns <= ends_ns) & (ends_ns < fault.end_ns)
    assert (run.labels == 1).sum() > 0
    assert within[run.labels == 1].all()


def test_scores_are_what_the_networks_and_the_served_aggregate_say(
    settings: Settings, run: FurnaceRun
) -> None:
    scored(settings)
    scores = read_scores(settings.scores / "short.npz")
    first = scores.run == 0
    clips = torch.from_numpy(run.seen.frames[run.seen.frame_of])
    currents = torch.from_numpy(run.seen.samples[run.seen.sample_of])
    truth = np.unpackbits(run.drawn_masks, axis=-1).astype(bool)
    clear = run.labels >= 0
    line = np.ones((3, len(SHIPPED) + 1), dtype=np.float32)
    fused = ServedAggregate(Aggregate(line, line))
    networks = {model.name: model.network for model in trained_models(settings.models)}
    for state, there in AVAILABILITY.items():
        available = torch.tensor(there).repeat(len(clips), 1)
        outputs: list[torch.Tensor] = []
        with torch.inference_mode():
            for name in SHIPPED:
                outputs += networks[name](clips, currents, available)
                expected = outputs[-2][:, 0].numpy()
                assert np.allclose(scores.logits[f"{name}/{state}"][first], expected, atol=1e-4)
            found = fused(available, *outputs)[3].numpy() >= 0.5
        if state == "current":
            assert "ensemble/current" not in scores.pixels
            continue
        pixels = [found & truth, found & ~truth, ~found & truth]
        expected_counts = [int(kind[clear].sum()) for kind in pixels]
        assert np.allclose(scores.pixels[f"ensemble/{state}"][0], expected_counts, atol=2)
    assert "faithful/video" not in scores.logits
    assert "current_only/both" in scores.logits
    assert "current_only/both" not in scores.pixels


def test_furnaces_are_scored_once_by_the_same_weights_and_again_by_others(
    settings: Settings,
) -> None:
    assert scored(settings) == [0, 1, 2]
    before = scored_weights(settings.scores / "short.npz")
    assert scored(settings) == [2]
    other = dataclasses.replace(STUDY[0], plan=dataclasses.replace(STUDY[0].plan, seed=99))
    write_weights(settings, other)
    assert scored(settings) == [0, 1, 2]
    after = scored_weights(settings.scores / "short.npz")
    assert {name for name in before if before[name] != after[name]} == {"a"}


def test_runs_of_furnaces_are_joined_in_order(settings: Settings) -> None:
    scored(settings)
    scores = read_scores(settings.scores / "short.npz")
    assert scores.furnaces == ("short/furnace-0000", "short/furnace-0001")
    assert np.all(np.diff(scores.run) >= 0)
    assert set(scores.run) == {0, 1}
    faults = [simulated_run(SEED, RUNS, EVERY, number).faults for number in range(2)]
    assert np.bincount(scores.fault_run, minlength=2).tolist() == [len(own) for own in faults]
    starts_s = [(fault.start_ns - ORIGIN_NS) / 1e9 for own in faults for fault in own]
    assert scores.fault_start_s.tolist() == pytest.approx(starts_s)
    assert all(len(values) == len(scores.label) for values in scores.logits.values())


def test_without_weights_there_is_nothing_to_score(tmp_path: Path) -> None:
    with pytest.raises(UnfinishedTrainingError, match="train first"):
        score_set(Settings(tmp_path), RUNS, CPU, lambda *_: None)
