import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from meltwatch_trainer.data.window_cache import WindowArrays
from meltwatch_trainer.errors import CacheMismatchError, TrainingError
from meltwatch_trainer.network.model_config import ConfigTensor, ModelSpec
from meltwatch_trainer.network.weights_file import read_weights
from meltwatch_trainer.release.onnx_export import export_onnx
from meltwatch_trainer.train.augmentation import Batch, augmented, availability
from meltwatch_trainer.train.build import build
from meltwatch_trainer.train.study import STUDY, StudyModel, study_model
from meltwatch_trainer.train.study_training import TrainingJob, train_study
from meltwatch_trainer.train.training import TrainingProgress, joint_loss, train
from meltwatch_trainer.train.training_plan import TrainingPlan
from meltwatch_trainer.train.window_source import WindowSource, batch_index

from tests.unit.trainer.study_models import small

CPU = torch.device("cpu")
TINY = small(study_model("b"))
each_model = pytest.mark.parametrize("model", STUDY, ids=lambda model: model.name)


def some_windows(count: int = 12) -> WindowArrays:
    """Windows whose anomaly is a bright square: easy, and different from window to window."""
    rng = np.random.default_rng(8)
    labels = (np.arange(count) % 2).astype(np.int8)
    clips = rng.integers(20, 80, (count, 10, 64, 64, 3), dtype=np.uint8)
    masks = np.zeros((count, 64, 64), dtype=np.uint8)
    masks[labels == 1, 24:40, 24:40] = 1
    clips[labels == 1, :, 24:40, 24:40, 0] = 240
    currents = rng.normal(6500, 50, (count, 240, 3)).astype(np.float32)
    return WindowArrays(clips, currents, masks, labels)


SOURCE = WindowSource(some_windows(), CPU)


def planned(model: StudyModel, **changes: Any) -> StudyModel:
    return dataclasses.replace(model, plan=dataclasses.replace(model.plan, **changes))


def trained(model: StudyModel, checkpoint: Path) -> dict[str, torch.Tensor]:
    network = train(model, SOURCE, checkpoint, CPU, lambda _: None, every_s=0)
    return dict(network.state_dict())


def test_a_network_learns_an_easy_anomaly(tmp_path: Path) -> None:
    reports: list[TrainingProgress] = []
    model = planned(TINY, windows_seen=480, rate=5e-3)
    train(model, SOURCE, tmp_path / "b", CPU, reports.append, every_s=0)
    assert reports[-1].seen == reports[-1].total == 480
    assert reports[-1].loss < 0.3 * reports[0].loss


@each_model
def test_a_killed_training_goes_on_to_the_same_weights(model: StudyModel, tmp_path: Path) -> None:
    model = small(model)
    whole = trained(model, tmp_path / "whole")

    def die(progress: TrainingProgress) -> None:
        if progress.seen > model.plan.windows_seen / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(model, SOURCE, tmp_path / "killed", CPU, die, every_s=0)
    resumed = trained(model, tmp_path / "killed")
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_a_checkpoint_of_another_plan_is_refused(tmp_path: Path) -> None:
    trained(TINY, tmp_path / "b")
    with pytest.raises(CacheMismatchError, match="delete it or name another folder"):
        trained(planned(TINY, rate=1e-4), tmp_path / "b")


def test_a_training_that_runs_away_says_so(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="expected a finite loss"):
        trained(planned(TINY, rate=1e30), tmp_path / "b")


def test_a_study_is_trained_side_by_side_as_it_is_one_after_the_other(tmp_path: Path) -> None:
    models = [TINY, small(study_model("c"))]
    for workers in (1, 2):
        reports: list[TrainingProgress] = []
        folder = tmp_path / str(workers)
        jobs = [TrainingJob(model, some_windows, folder, ", once") for model in models]
        train_study(jobs, CPU, workers, reports.append)
        assert {report.name for report in reports} == {"b, once", "c, once"}
    for model in models:
        one, two = (read_weights(tmp_path / folder / f"{model.name}.pt") for folder in "12")
        assert one.keys() == build(model).state_dict().keys()
        for key in one:
            assert torch.allclose(one[key], two[key], atol=1e-4), key


@each_model
def test_an_exported_network_answers_as_pytorch_does(model: StudyModel) -> None:
    network = build(small(model)).eval()
    contract = ModelSpec(
        model.name,
        (
            ConfigTensor("clip", "TYPE_UINT8", (10, 64, 64, 3)),
            ConfigTensor("currents", "TYPE_FP32", (240, 3)),
            ConfigTensor("available", "TYPE_FP32", (2,)),
        ),
        (ConfigTensor("logit", "TYPE_FP32", (1,)), ConfigTensor("map", "TYPE_FP32", (64, 64))),
    )
    session = ort.InferenceSession(export_onnx(network, contract))
    windows = some_windows(3)
    available = np.array([[1, 1], [0, 1], [1, 0]], dtype=np.float32)
    given_names = ("clip", "currents", "available")
    inputs = dict(zip(given_names, (windows.clips, windows.currents, available), strict=True))
    read = {tensor.name: inputs[tensor.name] for tensor in session.get_inputs()}
    with torch.no_grad():
        expected = network(*(torch.from_numpy(array) for array in inputs.values()))
    for answer, tensor in zip(session.run(None, read), expected, strict=True):
        assert np.allclose(answer, tensor.numpy(), atol=1e-4)


def a_batch() -> Batch:
    return SOURCE.batch(np.arange(12))


def test_windows_teach_what_they_can() -> None:
    plan = TrainingPlan(seed=0)
    batch = a_batch()
    logit = torch.randn(12, 1, generator=torch.Generator().manual_seed(0), requires_grad=True)
    pixels = torch.zeros(12, 64, 64, requires_grad=True)
    batch.label[5] = -1
    joint_loss((logit, pixels), batch, 9, plan).backward()
    assert logit.grad[5] == 0
    assert (logit.grad[batch.label >= 0] != 0).all()
    assert (pixels.grad[:9] != 0).all()
    assert (pixels.grad[9:] == 0).all()


def test_the_loss_of_a_published_plan_is_the_published_loss() -> None:
    plan = study_model("faithful").plan
    batch = a_batch()
    logit, pixels = torch.randn(12, 1), torch.randn(12, 64, 64)
    cross_entropy = torch.nn.functional.cross_entropy
    expected = cross_entropy(
        torch.stack([torch.zeros_like(pixels), pixels], dim=1), batch.mask.long()
    ) + cross_entropy(torch.cat([torch.zeros_like(logit), logit], dim=1), batch.label.long())
    assert joint_loss((logit, pixels), batch, 12, plan).item() == pytest.approx(expected.item())


@given(count=st.integers(2, 512), share=st.floats(0, 0.5))
def test_windows_lose_one_modality_at_most_and_those_with_video_lead(
    count: int, share: float
) -> None:
    lost = int(share * count)
    there = availability(count, lost, CPU)
    assert there.sum(dim=0).tolist() == [count - lost, count - lost]
    assert (there.sum(dim=1) >= 1).all()
    assert (there[: count - lost, 0] == 1).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_augmentation_keeps_what_the_labels_are_about(seed: int) -> None:
    batch = a_batch()
    varied = augmented(batch, torch.Generator().manual_seed(seed))
    assert varied.clip.dtype == torch.uint8
    red = varied.clip[..., 0].float()
    anomalous = (varied.mask == 1)[:, None].expand_as(red)
    assert red[anomalous].min() > 150
    assert torch.equal(varied.mask.sum(dim=(1, 2)), batch.mask.sum(dim=(1, 2)))
    assert torch.equal(varied.label, batch.label)
    level = varied.currents.mean(dim=(1, 2)) / batch.currents.mean(dim=(1, 2))
    assert (level - 1).abs().max() <= 0.1001
    spread = varied.currents.std(dim=1) / varied.currents.mean(dim=1)
    plain = batch.currents.std(dim=1) / batch.currents.mean(dim=1)
    assert torch.allclose(spread.sort(dim=1).values, plain.sort(dim=1).values, atol=1e-4)


@given(windows=st.integers(1, 60), batch=st.integers(1, 60), seed=st.integers(0, 9))
def test_an_epoch_shows_no_window_twice(windows: int, batch: int, seed: int) -> None:
    batch = min(batch, windows)
    steps = range(windows // batch)
    index = partial(batch_index, seed, batch=batch, windows=windows)
    epoch = np.concatenate([index(step) for step in steps])
    assert len(np.unique(epoch)) == len(epoch) == batch * len(steps)
    assert set(index(len(steps))) <= set(range(windows))


@given(scale=st.floats(1e-6, 1), batch=st.integers(1, 512))
def test_the_rate_rises_and_falls_within_any_length_of_training(scale: float, batch: int) -> None:
    plan = TrainingPlan(seed=0).scaled(scale)
    steps = min(plan.steps(batch), 2000)
    rates = np.array([plan.rate_at(step, steps) for step in range(steps)])
    assert rates.max() == pytest.approx(plan.rate)
    assert (rates > 0).all()
    peak = int(rates.argmax())
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak + 1 :]) < 0).all()
