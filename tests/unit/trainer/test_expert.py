"""An expert on currents: what it reads, what it learns from, and what it may change."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from meltwatch_trainer.__main__ import main
from meltwatch_trainer.data.current_runs import CurrentWindows, furnace_currents, joined_currents
from meltwatch_trainer.data.run_sets import RunSet
from meltwatch_trainer.data.simulated_runs import simulated_run
from meltwatch_trainer.errors import ScoresError, TrainerError
from meltwatch_trainer.expert.commands import ExpertStudy
from meltwatch_trainer.judge.expert_scores import (
    MemberScoring,
    beside_members,
    expert_says,
    without_video,
)
from meltwatch_trainer.judge.expert_verdict import (
    WITHOUT,
    judge_experts,
    one_threshold_a_state,
    row_name,
)
from meltwatch_trainer.judge.fusion import fit_fusion, fit_stacked
from meltwatch_trainer.judge.judging import Terms
from meltwatch_trainer.judge.row_calibration import calibrate
from meltwatch_trainer.judge.scores import Scores, score_key
from meltwatch_trainer.judge.served_ensemble import onnx_session
from meltwatch_trainer.judge.statistics import fit_log_odds
from meltwatch_trainer.judge.study_rows import SERVED_ROWS
from meltwatch_trainer.network.expert import Expert
from meltwatch_trainer.network.model_config import ConfigTensor, ModelSpec
from meltwatch_trainer.release.onnx_export import export_onnx
from meltwatch_trainer.train.build import build
from meltwatch_trainer.train.expert_training import (
    EXPERT_PLAN,
    plain_features,
    train_expert,
    train_trees,
)
from meltwatch_trainer.train.study import SHIPPED, study_model
from meltwatch_trainer.train.trained import TrainedModel, weights_path
from meltwatch_trainer.train.training import write_atomically

from tests.unit.trainer.synthetic_scores import synthetic_scores

RUNS = RunSet("short", furnaces=2, minutes=21.0)
EVERY = 20
SEED = 3
QUALITY = dict.fromkeys(SHIPPED, 4.0)
EXPERT = "expert"


@pytest.fixture(scope="module")
def windows() -> CurrentWindows:
    return joined_currents([furnace_currents(SEED, RUNS, EVERY, number) for number in (0, 1)])


@pytest.fixture(scope="module")
def currents(windows: CurrentWindows) -> torch.Tensor:
    return torch.from_numpy(windows.currents(np.arange(0, len(windows), 9)))


@pytest.fixture(params=[False, True], ids=["of the median", "own scale"])
def network(request: pytest.FixtureRequest) -> Expert:
    torch.manual_seed(1)
    return Expert(own_scale=request.param).eval()


def says(network: Expert, currents: torch.Tensor, available: tuple[float, float]) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = network(currents, torch.tensor([available] * len(currents)))
    return logits


def test_no_phase_is_special(network: Expert, currents: torch.Tensor) -> None:
    said = says(network, currents, (1.0, 1.0))

    turned = says(network, currents[..., [2, 0, 1]], (1.0, 1.0))

    assert torch.allclose(said, turned, atol=1e-5)
    assert said.std() > 1e-3


@pytest.mark.parametrize("own_scale", [False, True])
def test_on_its_own_scale_a_restless_furnace_is_like_a_quiet_one(own_scale: bool) -> None:
    torch.manual_seed(1)
    network = Expert(own_scale=own_scale).eval()
    quiet = 6500 + 65 * torch.randn(4, 240, 3).clamp(-2, 2)
    restless = quiet + 0.5 * (quiet - quiet.median(dim=1, keepdim=True).values)

    said, again = (says(network, currents, (1.0, 1.0)) for currents in (quiet, restless))

    assert torch.allclose(said, again, atol=5e-3) == own_scale


def test_without_currents_it_says_nothing(network: Expert, currents: torch.Tensor) -> None:
    nothing = torch.full_like(currents, torch.nan)

    assert torch.equal(says(network, nothing, (1.0, 0.0)), torch.zeros(len(currents), 1))


def test_the_camera_is_nothing_to_it(network: Expert, currents: torch.Tensor) -> None:
    both, alone = (says(network, currents, state) for state in ((1.0, 1.0), (0.0, 1.0)))

    assert torch.equal(both, alone)


def test_it_is_small(network: Expert) -> None:
    assert sum(tensor.numel() for tensor in network.parameters()) <= 60_000


def test_its_onnx_answers_as_it_does(network: Expert, currents: torch.Tensor) -> None:
    contract = ModelSpec(
        "fmformer_expert",
        (
            ConfigTensor("currents", "TYPE_FP32", (240, 3)),
            ConfigTensor("available", "TYPE_FP32", (2,)),
        ),
        (ConfigTensor("expert_logit", "TYPE_FP32", (1,)),),
    )
    session = onnx_session(export_onnx(network, contract))
    available = np.ones((len(currents), 2), dtype=np.float32)
    available[::2, 1] = 0.0

    told = session.run(None, {"currents": currents.numpy(), "available": available})[0]

    with torch.inference_mode():
        said = network(currents, torch.from_numpy(available)).numpy()
    assert np.abs(told - said).max() < 1e-4
    assert not told[::2].any()
    assert told[1::2].all()


def test_it_learns_from_the_windows_that_members_are_judged_on(windows: CurrentWindows) -> None:
    runs = [simulated_run(SEED, RUNS, EVERY, number) for number in (0, 1)]

    assert np.array_equal(windows.labels, np.concatenate([run.labels for run in runs]))
    assert {0, 1} <= set(windows.labels.tolist())
    seen = np.concatenate([run.seen.samples[run.seen.sample_of] for run in runs])
    assert np.array_equal(windows.currents(np.arange(len(windows))), seen)


def trained(windows: CurrentWindows) -> torch.Tensor:
    plan = replace(EXPERT_PLAN, windows_seen=64, batch=16)
    return train_expert(windows, plan, lambda *_: None).head.weight


def test_what_nobody_could_tell_teaches_nothing(windows: CurrentWindows) -> None:
    unclear = windows.labels < 0
    assert unclear.any()
    untaught = replace(windows, first=windows.first[~unclear], labels=windows.labels[~unclear])

    assert torch.equal(trained(untaught), trained(windows))


def test_another_seed_gives_another_expert(windows: CurrentWindows) -> None:
    reports: list[tuple[int, int]] = []
    plan = replace(EXPERT_PLAN, windows_seen=64, batch=16)
    one = train_expert(windows, plan, lambda done, of, _: reports.append((done, of)))
    other = train_expert(windows, replace(plan, seed=plan.seed + 1), lambda *_: None)

    assert reports == [(4, 4)]
    assert not torch.equal(one.head.weight, other.head.weight)


def test_features_of_the_trees_know_no_phase(currents: torch.Tensor) -> None:
    turned = currents[..., [2, 0, 1]].contiguous()

    told, after = plain_features(currents.numpy()), plain_features(turned.numpy())
    assert np.allclose(told, after, atol=1e-4)


def test_a_member_without_video_says_the_same_for_less(currents: torch.Tensor) -> None:
    for name in SHIPPED:
        member = TrainedModel(name, build(study_model(name)).eval(), "both", "", ("both",))
        listening = without_video(member)
        clip = torch.randint(0, 256, (len(currents), 10, 64, 64, 3), dtype=torch.uint8)
        available = torch.tensor([[0.0, 1.0]] * len(currents))
        with torch.inference_mode():
            whole, cheap = (
                one.network(clip, currents, available)[0] for one in (member, listening)
            )
        assert torch.allclose(whole, cheap, atol=1e-5)
        assert listening.states == ("current",)


def with_expert(scores: Scores, said: np.ndarray) -> Scores:
    keys = [score_key(EXPERT, state) for state in ("both", "current")]
    return replace(scores, logits={**scores.logits, **dict.fromkeys(keys, said.astype(np.float32))})


def test_an_expert_gets_the_weight_that_the_truth_gives_it() -> None:
    scores = synthetic_scores(1, QUALITY, states=("both", "current"))
    rng = np.random.default_rng(2)
    helpful = with_expert(scores, 2.0 * scores.label + rng.normal(0, 1, len(scores.label)))
    useless = with_expert(scores, rng.normal(0, 1, len(scores.label)))

    assert fit_stacked(helpful, SHIPPED, EXPERT, "both").weight > 0.3
    assert fit_stacked(useless, SHIPPED, EXPERT, "both").weight < 0.05


def test_the_sum_is_calibrated_as_one() -> None:
    scores = synthetic_scores(1, QUALITY)
    beside = with_expert(scores, 2.0 * scores.label - 1)
    stacked = fit_stacked(beside, SHIPPED, EXPERT, "both")
    mean = stacked.members.member_logits(scores).mean(axis=0)
    said = beside.logits[score_key(EXPERT, "both")].astype(float)

    clear = scores.clear
    scale, weight, shift = fit_log_odds([mean[clear], said[clear]], scores.label[clear] == 1)

    assert np.allclose(stacked.logits(beside), scale * mean + weight * said + shift)


def test_an_expert_that_speaks_against_the_truth_is_not_asked() -> None:
    scores = synthetic_scores(1, QUALITY)
    lying = with_expert(scores, -2.0 * scores.label)
    stacked = fit_stacked(lying, SHIPPED, EXPERT, "both")

    assert stacked.weight == 0
    assert np.array_equal(stacked.logits(lying), fit_fusion(scores, SHIPPED, "both").logits(scores))


def test_members_that_know_less_than_the_expert_alone_are_not_asked() -> None:
    scores = synthetic_scores(1, dict.fromkeys(SHIPPED, 0.5), states=("current",))
    rng = np.random.default_rng(2)
    shared = scores.logits["a/current"] - 0.5 * scores.label
    knowing = 2.0 * scores.label + shared + rng.normal(0, 0.1, len(scores.label))
    beside = with_expert(scores, knowing)
    stacked = fit_stacked(beside, SHIPPED, EXPERT, "current")
    alone = fit_fusion(beside, (EXPERT,), "current")

    assert (stacked.scale, stacked.weight > 0) == (0, True)
    assert np.allclose(stacked.logits(beside), alone.members[0](knowing), atol=1e-5)


def test_with_the_currents_lost_every_score_is_bit_by_bit_as_before() -> None:
    scores = synthetic_scores(1, QUALITY, states=("video",))
    before = fit_fusion(scores, SHIPPED, "video")
    beside = with_expert(scores, 5.0 * scores.label)
    stacked = fit_stacked(beside, SHIPPED, EXPERT, "video")

    assert stacked.weight == 0
    assert stacked.logits(beside).tobytes() == before.logits(scores).tobytes()
    assert stacked.disagreement(beside).tobytes() == before.disagreement(scores).tobytes()


def test_an_expert_does_not_count_among_those_who_disagree() -> None:
    scores = synthetic_scores(1, QUALITY)
    beside = with_expert(scores, 2.0 * scores.label)
    stacked = fit_stacked(beside, SHIPPED, EXPERT, "both")

    assert stacked.weight > 0
    assert np.array_equal(stacked.disagreement(beside), stacked.members.disagreement(scores))


def test_an_expert_that_knows_more_shows_more_and_a_useless_one_does_not() -> None:
    sets = {
        seed: synthetic_scores(seed, dict.fromkeys(SHIPPED, 2.5), states=("both", "current"))
        for seed in (1, 2)
    }
    rng = np.random.default_rng(3)
    told = {
        seed: with_expert(scores, 3.0 * scores.label + rng.normal(0, 1, len(scores.label)))
        for seed, scores in sets.items()
    }

    found = judge_experts(told[1], {"test": told[2]}, {EXPERT: EXPERT}, Terms())

    gain = found.sets[0].gains[row_name(EXPERT, "both")]
    assert gain["recall"].low > 0
    assert gain["auroc"].low > 0
    without = found.sets[0].rows[row_name(WITHOUT, "both")]
    with_it = found.sets[0].rows[row_name(EXPERT, "both")]
    assert with_it.estimate("recall").value - without.estimate("recall").value == pytest.approx(
        gain["recall"].value
    )


def test_a_state_without_a_sound_threshold_takes_that_of_the_others() -> None:
    scores = synthetic_scores(1, QUALITY, states=("both", "current"))
    judges = [
        judge
        for judge in calibrate(scores, Terms().rule, Terms().budget)
        if judge.row in SERVED_ROWS
    ]
    apart = [
        replace(judge, logit_on=level) for judge, level in zip(judges, (2.0, 3.0), strict=True)
    ]
    assert [judge.basis.refusal for judge in apart] == [None, None]
    blind = replace(apart[1], basis=replace(apart[1].basis, margin=-1.0))

    assert one_threshold_a_state(apart) == apart
    assert one_threshold_a_state([apart[0], blind]) == [apart[0], replace(blind, logit_on=2.0)]
    assert one_threshold_a_state([blind]) == [blind]


def test_currents_of_other_windows_are_refused(windows: CurrentWindows, network: Expert) -> None:
    scores = synthetic_scores(1, QUALITY, furnaces=1)

    for label in (scores.label, 1 - windows.labels):
        with pytest.raises(ScoresError, match="expected currents of the scored windows"):
            beside_members(replace(scores, label=label), windows, {EXPERT: expert_says(network)})


def test_the_expert_speaks_in_each_state_that_has_currents(
    windows: CurrentWindows, network: Expert
) -> None:
    scores = replace(synthetic_scores(1, QUALITY, furnaces=1), label=windows.labels, logits={})

    beside = beside_members(scores, windows, {EXPERT: expert_says(network)})

    assert beside.logits.keys() == {"expert/both", "expert/current"}
    said = says(network, torch.from_numpy(windows.currents(np.arange(len(windows)))), (1.0, 1.0))
    assert np.allclose(beside.logits["expert/both"], said[:, 0].numpy(), atol=1e-5)


def test_only_what_is_missing_is_scored(tmp_path: Path) -> None:
    runs = RunSet("brief", furnaces=2, minutes=1.0)
    for name in SHIPPED:
        member = build(study_model(name))
        write_atomically(weights_path(tmp_path, name), member.state_dict())
    scoring = MemberScoring(SEED, EVERY, tmp_path, tmp_path / "scores")
    reports: list[tuple[int, int]] = []
    first = scoring.scores(runs, 1, lambda done, of: reports.append((done, of)))
    scoring.part(runs, 1).unlink()
    again = scoring.scores(runs, 1, lambda done, of: reports.append((done, of)))

    assert reports == [(0, 2), (1, 2), (2, 2), (1, 2), (2, 2)]
    keys = {score_key(name, state) for name in SHIPPED for state in ("both", "current")}
    assert first.logits.keys() == keys
    assert all(np.array_equal(first.logits[key], again.logits[key]) for key in keys)


def test_a_folder_that_holds_no_ensemble_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "expert.pt"
    write_atomically(weights, Expert().state_dict())
    monkeypatch.setattr(ExpertStudy, "_trained", lambda *_: weights)
    monkeypatch.setattr("sys.argv", ["meltwatch-trainer", "expert", "--repository", str(tmp_path)])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "expected the ensemble's configuration" in told
    assert "Traceback" not in told


def test_trees_without_scikit_learn_are_one_line(
    windows: CurrentWindows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)

    with pytest.raises(TrainerError, match="expected scikit-learn"):
        train_trees(windows, SEED)
