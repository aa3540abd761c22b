"""What a recording is judged by comes from the others; whether a training was worth it is said."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from meltwatch_core.alarms.setpoints.held_level import AlarmRule
from meltwatch_trainer.data.recorded.enough import RecordingSize
from meltwatch_trainer.fit.card import FitFacts, card, gain_line
from meltwatch_trainer.judge import left_out
from meltwatch_trainer.judge.judging import JudgingVerdict, SetVerdict, Terms, judge_set
from meltwatch_trainer.judge.left_out import LeftOutRow, judge_left_out
from meltwatch_trainer.judge.scores import Scores
from meltwatch_trainer.judge.study_rows import name_before
from meltwatch_trainer.train.study import SHIPPED

from tests.unit.trainer.synthetic_scores import synthetic_scores

STATES = ("both", "video", "current")
GROUPS = ((0,), (1, 2), (3,))


def recordings(before: float) -> list[Scores]:
    quality = dict.fromkeys(SHIPPED, 3.0) | {name_before(name): before for name in SHIPPED}
    return [synthetic_scores(seed, quality, furnaces=3, states=STATES) for seed in range(4)]


def verdict(scores: list[Scores]) -> JudgingVerdict:
    return judge_left_out(scores, GROUPS, Terms(), "recordings")


def scaled(scores: Scores, factor: float) -> Scores:
    louder = {key: (factor * values).astype(np.float32) for key, values in scores.logits.items()}
    return replace(scores, logits=louder)


def test_a_recording_has_no_part_in_what_it_is_judged_by(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[Sequence[LeftOutRow]] = []

    def note(name: str, scores: Scores, rows: Sequence[LeftOutRow], rule: AlarmRule) -> SetVerdict:
        judged.append(rows)
        return judge_set(name, scores, rows[:1], rule)

    monkeypatch.setattr(left_out, "judge_set", note)
    plain = recordings(before=3.0)
    for scores in (plain, [scaled(plain[0], 40.0), *plain[1:]]):
        verdict(scores)
    one, other = ([judge.logit_on for judge in rows[0].of_run] for rows in judged)
    # Three furnaces in each recording; recordings 1 and 2 are left out together.
    assert one[:3] == other[:3]
    assert not set(one[3:]) & set(other[3:])
    assert [len(set(one[start : start + 3])) for start in (0, 3, 6, 9)] == [1] * 4
    assert one[3] == one[6]


@pytest.mark.parametrize(
    ("before", "said"), [(1.0, "better than"), (6.0, "worse than"), (3.0, "no proven gain over")]
)
def test_a_training_that_went_on_says_whether_it_was_worth_it(before: float, said: str) -> None:
    found = verdict(recordings(before))
    line = gain_line(found)
    assert line is not None
    assert line.startswith(said)
    facts = FitFacts([RecordingSize("one", 1, 3600.0)], 3, "0" * 64, None, {})
    assert f"So it is {line}." in card(found, facts)


def test_a_training_that_began_fresh_is_compared_with_nothing() -> None:
    fresh = [
        synthetic_scores(seed, dict.fromkeys(SHIPPED, 3.0), furnaces=3, states=STATES)
        for seed in range(4)
    ]
    assert gain_line(verdict(fresh)) is None
