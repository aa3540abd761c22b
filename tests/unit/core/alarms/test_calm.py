"""What a score does to a calm alarm is nothing: judging it all the same gives the same records."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.registry import AlarmRegistry
from meltwatch_core.alarms.system_alarms import is_by_scores
from meltwatch_schemas.novelty import Novelty
from meltwatch_schemas.score import Features, Modality, WindowScore

from tests.support.examples import examples
from tests.unit.core.alarms.samples import (
    BOTH,
    command_fields,
    command_record,
    novelty_point,
    point,
    score,
    score_record,
    setpoint,
)
from tests.unit.core.alarms.topic_log import NOW_NS, TopicLog

FURNACES = ("a/b/F1", "a/b/F2")
POINTS = {
    "a/b/F1": (
        point("a/b/F1", setpoint=setpoint(k=2, n=4)),
        point("a/b/F1", alarm_id="a/b/F1/HH", setpoint=setpoint(logit_on=5.0, on_delay_s=1.44)),
        novelty_point("a/b/F1", on_delay_s=2.88, off_delay_s=4.32),
    ),
    "a/b/F2": (
        point("a/b/F2", setpoint_digest="7" * 64, setpoint=setpoint(off_delay_s=1.44)),
        novelty_point("a/b/F2", k=2, n=4, off_delay_s=1.44),
    ),
}
REASONS = st.sampled_from([(), (), ("no_video",), ("overload",), ("portrait_stale",)])
NOVELTIES = st.none() | st.builds(
    Novelty,
    portrait=st.sampled_from(["a" * 64, "a" * 64, "b" * 64]),
    video=st.sampled_from([None, 1.0, 2.7, 4.0]),
    current=st.sampled_from([None, 0.5, 5.0]),
)


@st.composite
def courses(draw):
    """Windows of two furnaces, some missing, with commands that end an alarm between them."""
    numbers, course = dict.fromkeys(FURNACES, 0), []
    for _ in range(draw(st.integers(5, 60))):
        name = draw(st.sampled_from(FURNACES))
        if draw(st.integers(0, 12)) == 0:
            course.append(f"{name}/{draw(st.sampled_from(['OVERHEAT', 'SCORING_LOST']))}")
            continue
        numbers[name] += draw(st.sampled_from([1, 1, 1, 2, 9]))
        logit = draw(st.sampled_from([6.0, 3.0, 1.0, -1.0, -1.0, None]))
        modalities = draw(st.sampled_from([BOTH, BOTH, (Modality.CURRENT,)]))
        features = Features(imbalance=draw(st.sampled_from([None, 0.01, 0.9])))
        model = draw(st.sampled_from(["fmformer"] * 4 + ["other"]))
        changes = {"features": features, "reasons": draw(REASONS), "novelty": draw(NOVELTIES)}
        course.append(score(numbers[name], logit, name, modalities, model, **changes))
    return course


def lived(course: list[WindowScore | str]) -> tuple[TopicLog, list[object]]:
    """Return what is written, and every commit, of a course that is written step by step."""
    log, commits = TopicLog(points=POINTS), []
    pipeline = log.take_over()
    for number, step in enumerate(course):
        if isinstance(step, str):
            fields = command_fields(
                "decommission", alarm_id=step, role="engineer", command_id=str(UUID(int=number))
            )
            record = command_record(fields, number, step)
        else:
            record = score_record(step, number)
        log.write(pipeline.handle_record(record, NOW_NS), pipeline)
        commits.append(dict(log.commits))
    return log, commits


@examples(30)
@given(courses())
def test_a_score_does_nothing_to_an_alarm_that_it_leaves_calm(course):
    log, commits = lived(course)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            AlarmRegistry,
            "stirred_by",
            lambda self, received: [
                each for each in self.of(received.score.furnace_id) if is_by_scores(each.point)
            ],
        )
        judged, judged_commits = lived(course)
    assert log.written == judged.written
    assert commits == judged_commits
