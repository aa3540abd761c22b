"""A set-point that is prepared for another ensemble: in force from its first score on, and back."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_point import AlarmPoint, PreparedSetpoint, Setpoint
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.point_rules import check_point
from meltwatch_schemas.score import ModelIdentity, WindowScore

from tests.support.examples import examples
from tests.unit.core.alarms.samples import DIGEST, FURNACE, point, score, setpoint
from tests.unit.core.alarms.topic_log import TopicLog

NEXT = "f" * 64
OWN, HIGHER = setpoint(), setpoint(logit_on=5.0, logit_off=4.0)


def prepared(made: Setpoint = HIGHER, digest: str = NEXT) -> AlarmPoint:
    beside = PreparedSetpoint(setpoint=made, setpoint_basis="in shadow", setpoint_digest=digest)
    return point(setpoint=OWN, setpoint_digest=DIGEST, prepared=beside)


def served(numbers: range, logit: float | None, digest: str = DIGEST) -> list[WindowScore]:
    model = ModelIdentity("fmformer", "1", digest)
    return [replace(score(number, logit), model=model) for number in numbers]


def records_of(scores: Sequence[WindowScore], own: AlarmPoint) -> list[AlarmRecord]:
    log = TopicLog(points={FURNACE: (own,)})
    log.judge(scores)
    return log.alarms()


def test_each_score_is_judged_by_the_set_point_of_its_own_ensemble() -> None:
    course = [
        *served(range(10), -3.0),
        *served(range(10, 30), 3.0, NEXT),  # too low for it
        *served(range(30, 50), 6.0, NEXT),
        *served(range(50, 80), -3.0, NEXT),
        *served(range(80, 100), 3.0),  # served again: high enough for this one
    ]
    found = records_of(course, prepared())
    assert [(r.alarm_id.rpartition("/")[2], r.transition.cause) for r in found] == [
        ("OVERHEAT", "RAISE"),
        ("OVERHEAT", "CLEAR"),
        ("OVERHEAT", "RAISE"),
    ], "nothing is foreign, nothing is lost"
    assert [r.evidence.threshold for r in found] == [5.0, 5.0, 2.0]


def test_an_ensemble_that_nothing_was_prepared_for_is_foreign() -> None:
    found = records_of(served(range(30), 3.0, "e" * 64), prepared())
    assert {r.alarm_id.rpartition("/")[2] for r in found} == {"OVERHEAT", "SETPOINT_FOREIGN"}
    assert found[0].evidence.threshold == 2.0


COURSES = st.lists(
    st.tuples(st.sampled_from([6.0, 3.0, -3.0, None]), st.sampled_from([DIGEST, NEXT])),
    min_size=10,
    max_size=50,
)


def course_of(steps: list[tuple[float | None, str]]) -> list[WindowScore]:
    return [
        each
        for number, (logit, digest) in enumerate(steps)
        for each in served(range(number, number + 1), logit, digest)
    ]


def transitions(log: TopicLog) -> list[tuple[str, str, float, str]]:
    return [
        (r.alarm_id, r.transition.cause, r.evidence.threshold, f"{r.evidence.window_end}")
        for r in log.alarms()
    ]


@examples(60)
@given(COURSES, st.data())
def test_whoever_takes_over_goes_on_by_the_same_set_point(steps, data) -> None:
    course = course_of(steps)
    whole, broken = (TopicLog(points={FURNACE: (prepared(),)}) for _ in range(2))
    whole.judge(course)
    cut = data.draw(st.integers(1, len(course) - 1))
    broken.judge(course[:cut])
    from_ = next(
        commit.offset
        for place, commit in broken.commits.items()
        if place.topic == "scores" and commit
    )
    broken.judge(course[from_:], from_)
    assert transitions(broken) == transitions(whole)


@examples(60)
@given(COURSES)
def test_the_same_numbers_prepared_change_nothing(steps) -> None:
    with_it, without = (
        records_of(course_of(steps), own)
        for own in (prepared(OWN), point(setpoint=OWN, setpoint_digest=None))
    )
    told = [
        [(r.alarm_id, r.transition.cause, r.raise_time) for r in made]
        for made in (with_it, without)
    ]
    assert told[0] == told[1]


IMBALANCE = {"imbalance_on": 0.3, "imbalance_off": 0.2}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"setpoint_digest": None}, "setpoint_digest: expected another ensemble"),
        ({"setpoint_digest": NEXT}, "setpoint_digest: expected another ensemble"),
        ({"prepared": prepared(setpoint(**IMBALANCE)).prepared}, "prepared: expected thresholds"),
        ({"prepared": prepared(setpoint(k=1, n=5000)).prepared}, "prepared: expected n of at most"),
        (
            {"condition": "VIDEO_LOST", "alarm_id": f"{FURNACE}/VIDEO_LOST"},
            "prepared: expected none",
        ),
    ],
)
def test_what_cannot_be_in_force_is_refused(changes, said) -> None:
    assert check_point(prepared()).prepared is not None
    with pytest.raises(ContractViolation, match=said):
        check_point(prepared().model_copy(update=changes))
