"""The judge of digests: he agrees with a faultless exchange, and sees whatever is wrong."""

from dataclasses import replace
from typing import Any

import pytest
from meltwatch_schemas.default_setpoint import MODEL_DIGEST

from tests.chaos.alarm_points import POINTS
from tests.chaos.digest_verdict import Exchange, judge_digests, notes, untold
from tests.chaos.tape import Message, Score, Tape

OLD, NEW = MODEL_DIGEST, "b" * 64
FURNACES = (POINTS[0].furnace, POINTS[-1].furnace)
EXCHANGES = (Exchange(OLD, NEW, 100, 120), Exchange(NEW, OLD, 300, 320))
"""There and back."""
POINT = POINTS[0]
HIGHER = 9.9


def scored(furnace: str, at: int, digest: str) -> Score:
    times = {"scored_ns": at, "published_ns": at + 1}
    fields = {"furnace_id": furnace, "window_end_ns": at, "model": {"digest": digest}}
    return Score(0, at, fields | {"times": times, "logit": 1.0})


def course(furnace: str) -> list[Score]:
    """By the old one also while the first server has the new one, then by the new one, and back."""
    digests = dict.fromkeys(range(0, 120, 10), OLD) | dict.fromkeys(range(120, 300, 10), NEW)
    return [
        scored(furnace, at, digest)
        for at, digest in (digests | dict.fromkeys(range(300, 400, 10), OLD)).items()
    ]


def raised(digest: str, threshold: float) -> Message:
    fields: dict[str, Any] = {
        "transition": {"cause": "RAISE"},
        "class": "process",
        "model": {"digest": digest},
        "evidence": {"threshold": threshold},
    }
    return Message(("alarms", 0, 0), POINT.alarm_id, {}, fields)


@pytest.fixture
def tape() -> Tape:
    prepared = {
        "setpoint": {"logit_on": HIGHER, "logit_off": 8.0, "on_delay_s": 5, "off_delay_s": 4}
    }
    return Tape(
        scores=[each for furnace in FURNACES for each in course(furnace)],
        points={POINT.alarm_id: {"prepared": prepared | {"setpoint_digest": NEW}}},
        alarms=[raised(OLD, POINT.on), raised(NEW, HIGHER)],
    )


def test_he_minds_nothing_of_a_faultless_exchange(tape: Tape) -> None:
    assert list(judge_digests(tape, EXCHANGES)) == []
    told = {(furnace, digest) for furnace in FURNACES for digest in (OLD, NEW)}
    assert list(untold(tape, told)) == []
    assert list(notes(tape, EXCHANGES))[1].endswith("0 windows by the old one beside the new one")


@pytest.mark.parametrize(
    ("at", "digest", "said"),
    [
        (310, NEW, "scored by 35fe2edd bbbbbbbb 35fe2edd bbbbbbbb 35fe2edd"),  # to and fro
        (50, NEW, "which nobody served"),  # before there was a server with it
        (200, OLD, "which nobody served"),  # after the last server with it had gone
        (200, "c" * 64, "which nobody served"),
    ],
)
def test_he_sees_a_window_of_the_wrong_ensemble(
    tape: Tape, at: int, digest: str, said: str
) -> None:
    scores = [scored(s.furnace, s.end, digest) if s.end == at else s for s in tape.scores]
    assert any(said in line for line in judge_digests(replace(tape, scores=scores), EXCHANGES))


@pytest.mark.parametrize(("digest", "threshold"), [(OLD, HIGHER), (NEW, POINT.on)])
def test_he_sees_an_alarm_by_the_set_point_of_the_other_ensemble(
    tape: Tape, digest: str, threshold: float
) -> None:
    wrong = replace(tape, alarms=[raised(digest, threshold)])
    (line,) = judge_digests(wrong, EXCHANGES)
    assert f"names {threshold}" in line


def test_he_sees_a_change_that_nobody_told(tape: Tape) -> None:
    told = {(furnace, OLD) for furnace in FURNACES} | {(FURNACES[0], NEW)}
    (line,) = untold(tape, told)
    assert line.startswith(FURNACES[1])


def test_he_counts_what_both_scored_at_the_same_time(tape: Tape) -> None:
    late = [
        scored(FURNACES[1], 125, OLD) if s.end == 120 and s.furnace == FURNACES[1] else s
        for s in tape.scores
    ]
    assert "1 windows by the old one" in list(notes(replace(tape, scores=late), EXCHANGES))[1]
