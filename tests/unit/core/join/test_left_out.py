"""A modality that was left out by one life is left out by the next one."""

from dataclasses import replace

from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.restore import resume
from meltwatch_core.join.window import AlignedWindow
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import Modality

from tests.support.oracle import Step
from tests.unit.core.join.live_furnace import at, delayed, frames, samples
from tests.unit.core.join.lives import TOPICS, score_of
from tests.unit.core.join.sequences import ENCODER, PUBLISHED, numbered, read_at, rules_of, take

KILLED_S = 100.0


def test_a_camera_too_far_behind_is_not_waited_for_again_after_a_restart():
    camera, meter = delayed(frames(-120.0, 60.0), lambda _: 90.0), samples(0.0, 150.0)
    arrivals = sorted([*camera, *meter], key=lambda arrival: arrival.at)
    records = numbered(arrival.record for arrival in arrivals)
    steps = [
        Step(arrival.at, read_at(arrival.at).read_as_of, record)
        for arrival, record in zip(arrivals, records, strict=True)
    ]
    before = [step for step in steps if step.now < at(KILLED_S)]
    one = PartitionJoiner(7, ENCODER, rules_of(PUBLISHED))
    published = [window for window, _ in _closed(one, before)]
    assert Reason.BEHIND_VIDEO in published[-1].reasons

    starts = one.acknowledgeable()
    scores = [score_of(window) for window in published]
    other = PartitionJoiner(7, ENCODER, rules_of(PUBLISHED), resume(starts, scores, TOPICS))
    again = [
        replace(step, now=at(KILLED_S), read_as_of=read_at(at(KILLED_S)).read_as_of)
        for step in before
        if step.record and step.record.offset >= starts[Modality(step.record.modality)]
    ]
    closed = _closed(other, [*again, *steps[len(before) :]])
    assert len(closed) > 30
    assert all(Reason.BEHIND_VIDEO in window.reasons for window, _ in closed)
    assert max(second - window.window_end_ns for window, second in closed) < at(3.0) - at(0.0)


def _closed(joiner: PartitionJoiner, steps: list[Step]) -> list[tuple[AlignedWindow, int]]:
    """What closes, and when; each window is published at once."""
    closed = [(window, step.now) for step in steps for window in take(joiner, step).windows]
    for window, _ in closed:
        joiner.published(window)
    return closed
