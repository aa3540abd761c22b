"""The same study trained again: where its parts lie, and what the table says of them."""

import re
from pathlib import Path

import pytest
from meltwatch_trainer.errors import ScoresError
from meltwatch_trainer.judge.evaluation import SETS, repeats_tables, write_repeats
from meltwatch_trainer.judge.judging import Terms, judge_study
from meltwatch_trainer.judge.scores_file import write_scores
from meltwatch_trainer.settings import Settings
from meltwatch_trainer.train.study import STUDY

from tests.unit.trainer.synthetic_scores import synthetic_scores

QUALITY = {"a": 5.0, "b": 5.5, "c": 5.2, "faithful": 3.6}
STATES = ("both", "video", "current")
PAGE = "<!-- repeats: generated -->\n<!-- repeats: end -->\n"


def test_a_repetition_has_other_random_numbers_and_the_same_windows(tmp_path: Path) -> None:
    first, again = Settings(tmp_path), Settings(tmp_path, repeat=1)
    assert first.study == STUDY
    seeds = [model.plan.seed for of in (first, again) for model in of.study]
    assert not set(seeds[: len(STUDY)]) & set(seeds[len(STUDY) :])
    assert [model.spec for model in again.study] == [model.spec for model in STUDY]
    assert (first.work, first.training) == (again.work, again.training)
    assert first.models != again.models
    assert first.scores != again.scores


def test_models_that_differ_by_one_thing_share_their_random_numbers() -> None:
    again = {model.name: model.plan.seed for model in Settings(Path(), repeat=2).study}
    assert again["a"] == again["no_levels"] == again["no_cross"] != again["b"]


def test_the_table_names_every_training(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    verdicts = []
    for number in range(3):
        settings = Settings(tmp_path, repeat=number)
        sets = {
            name: synthetic_scores(10 * number + place, QUALITY, 20, STATES)
            for place, name in enumerate(SETS)
        }
        for name, scores in sets.items():
            write_scores(settings.scores / f"{name}.npz", scores)
        calibration, *others = SETS
        verdicts.append(
            judge_study(sets[calibration], {name: sets[name] for name in others}, Terms())
        )
    assert write_repeats(Settings(tmp_path), page) == 3
    assert repeats_tables(verdicts) in page.read_text()
    lines = page.read_text().splitlines()
    (told, *_) = [line for line in lines if line.startswith("| ensemble |")]
    judged = [next(r for r in v.sets[0].judged if r.name == "ensemble") for v in verdicts]
    recalls = [row.estimate("recall") for row in judged]
    assert told.split(" | ")[1] == ", ".join(f"{found.value:.3f}" for found in recalls if found)
    gains = [line for line in lines if re.match(r"\| faithful FmFormer \| [123] \|", line)]
    assert len(gains) == 3 * 2, "two sets"
    assert "| always" not in page.read_text()


def test_without_a_repetition_there_is_nothing_to_compare(tmp_path: Path) -> None:
    scores = synthetic_scores(1, QUALITY, 20, STATES)
    for name in SETS:
        write_scores(Settings(tmp_path).scores / f"{name}.npz", scores)
    with pytest.raises(ScoresError, match="scores-repeat-1"):
        write_repeats(Settings(tmp_path), tmp_path / "page.md")
