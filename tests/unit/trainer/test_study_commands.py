"""The command line of the study: what it accepts, refuses and leads to."""

from dataclasses import replace
from pathlib import Path

import pytest
from meltwatch_trainer import settings
from meltwatch_trainer.__main__ import DEFAULT_REFERENCE, DEFAULT_REPOSITORY, app
from meltwatch_trainer.data.run_sets import RUN_SETS
from meltwatch_trainer.data.windows import TRAINING
from meltwatch_trainer.errors import TrainerError, TrialError, UnfinishedTrainingError
from meltwatch_trainer.settings import Settings
from meltwatch_trainer.study_commands import estimated_hours
from meltwatch_trainer.train.study import STUDY

TRIAL = ("--scale", "0.001", "--device", "cpu", "--workers", "1")


def invoke(*arguments: str, work: Path) -> None:
    """Run a command; what it raises, this raises."""
    app([*arguments, "--work", str(work)], result_action="return_value")


def test_a_trial_never_replaces_what_is_shipped(tmp_path: Path) -> None:
    for command in ("export", "all"):
        with pytest.raises(TrialError, match="expected another --repository"):
            invoke(command, *TRIAL, work=tmp_path)
        with pytest.raises(TrialError, match="expected another --repository"):
            invoke(command, *TRIAL, "--repository", str(tmp_path / "repository"), work=tmp_path)
    assert DEFAULT_REPOSITORY.parts[0] == "triton_models"
    assert DEFAULT_REFERENCE.parts[0] == "tests"


def test_a_trial_lies_beside_the_study_and_is_smaller(tmp_path: Path) -> None:
    study, trial = Settings(tmp_path), Settings(tmp_path, scale=0.01)
    assert study.work == tmp_path
    assert trial.work == tmp_path / "trial-0.01"
    assert study.training == TRAINING
    assert trial.training.furnaces < TRAINING.furnaces / 50
    assert study.run_sets == tuple(RUN_SETS.values())
    for whole, small in zip(study.run_sets, trial.run_sets, strict=True):
        assert small.furnaces < whole.furnaces
        assert small.minutes < whole.minutes
    hours = [estimated_hours(of, STUDY) for of in (study, trial)]
    assert hours[1] < hours[0] / 20


def test_weights_of_another_plan_are_not_taken_for_this_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = Settings(tmp_path).models
    assert Settings(tmp_path, seed=2).models != now
    longer = replace(STUDY[0], plan=replace(STUDY[0].plan, windows_seen=1))
    monkeypatch.setattr(settings, "STUDY", (longer, *STUDY[1:]))
    assert Settings(tmp_path).models != now


@pytest.mark.parametrize(("command", "missing"), [("train", "simulate"), ("score", "train")])
def test_a_step_says_which_one_comes_before_it(command: str, missing: str, tmp_path: Path) -> None:
    with pytest.raises(UnfinishedTrainingError, match=f"{missing} first"):
        invoke(command, *TRIAL, work=tmp_path)


def test_an_unknown_model_is_refused_and_the_known_ones_named(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=r"--only: expected .*faithful.*, got z"):
        invoke("train", "--only", "z", work=tmp_path)


def test_a_gpu_that_is_not_there_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(TrainerError, match="use --device cpu or auto"):
        invoke("simulate", "--device", "cuda", work=tmp_path)
