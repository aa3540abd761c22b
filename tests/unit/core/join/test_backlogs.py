"""Backlogs, dead and slow sources: rule 6 by the reader's own clock."""

import random

import pytest
from hypothesis import given
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import Modality

from tests.support.examples import examples
from tests.support.oracle import Step
from tests.support.rule_numbers import CURRENT, VIDEO
from tests.unit.core.join.live_furnace import delayed, frames, lived, samples, undisturbed
from tests.unit.core.join.sequences import (
    CHANCE,
    ORDERLY,
    PUBLISHED,
    SMALL,
    Arrival,
    as_it_came,
    at_once,
    join,
    numbered,
    read_at,
    said,
    silence_after,
)


def in_turns(arrivals: list[Arrival], chance: random.Random) -> list[Step]:
    """A backlog of both topics, read in any turns, by a reader who is faster than the gap.

    He knows of no end, or, worse, takes all for read at any time.
    """
    topics = {m: [a.record for a in arrivals if a.record.modality == m] for m in (VIDEO, CURRENT)}
    turn, knows = chance.choice((1, 5, 400)), chance.random() < 0.5
    now, pauses = 10_000, [1] * SMALL.idle_gap
    steps: list[Step] = []
    while any(topics.values()):
        topic = chance.choice([topic for topic in topics.values() if topic])
        for _ in range(chance.randint(1, turn)):
            now += pauses.pop() if pauses and chance.random() < 0.1 else 0
            steps += [read_at(now)] if knows and chance.random() < 0.2 else []
            if topic:
                steps.append(Step(now, read_at(now).read_as_of if knows else {}, topic.pop(0)))
    return steps


@examples(25)
@given(ORDERLY, CHANCE)
def test_whichever_topic_is_read_first_and_how_far_the_windows_are_the_same(
    arrivals: list[Arrival], chance: random.Random
):
    steps = in_turns(arrivals, chance)
    outcomes = join([*steps, silence_after(steps, SMALL)], SMALL)
    expected = join(as_it_came(arrivals, SMALL), SMALL)
    assert not any(outcome.late or outcome.duplicates for outcome in (*outcomes, *expected))
    windows = [sorted((said(w) for o in each for w in o.windows),
                      key=lambda one: (one.window.furnace, one.window.end))
               for each in (outcomes, expected)]  # fmt: skip
    assert windows[0] == windows[1]


@pytest.mark.parametrize("first", [VIDEO, CURRENT])
def test_minutes_of_either_modality_first_are_joined(first: str):
    streams = [frames(0.1, 200.0), samples(0.2, 200.0)]
    records = [a.record for stream in streams for a in stream]
    steps = at_once(numbered(sorted(records, key=lambda record: record.modality != first)))
    outcomes = join([*steps, silence_after(steps, PUBLISHED)], PUBLISHED)
    assert not any(outcome.late for outcome in outcomes)
    assert [said(w) for outcome in outcomes for w in outcome.windows] == undisturbed(*streams)


def test_a_dead_camera_costs_the_idle_gap_once():
    came = lived(frames(0.1, 40.0), samples(0.0, 100.0), retired=False)
    assert not came.late
    after = [closed for closed in came.closed if closed.end > 40.0]
    assert max(closed.delay for closed in after) <= 8.0
    assert {closed.end for closed in after if closed.delay > 3.0} < {
        closed.end for closed in after if closed.end < 48.0
    }
    assert after[-1].end > 97.0
    assert after[-1].window.modalities == ()
    assert Reason.NO_VIDEO in after[-1].window.reasons


@pytest.mark.parametrize("behind", [6.0, 40.0])
def test_a_camera_that_is_steadily_behind_is_joined(behind: float):
    camera = delayed(frames(-behind, 150.0 - behind), lambda _: behind)
    meter = samples(0.0, 150.0)
    came = lived(camera, meter)
    assert not came.late
    assert came.said == undisturbed(camera, meter)
    joined = [closed for closed in came.closed if 10.0 < closed.end < 140.0 - behind]
    assert all(closed.window.video_coverage == 1.0 for closed in joined)
    assert all(behind < closed.delay < behind + 2.0 for closed in joined)


def test_a_camera_too_far_behind_is_left_out_until_it_is_near_again():
    camera = delayed(frames(-120.0, 270.0), lambda s: 120.0 if s < 10.0 else max(130.0 - s, 30.0))
    came = lived(camera, samples(0.0, 300.0), retired=False)
    left_out = [c for c in came.closed if Reason.BEHIND_VIDEO in c.window.reasons]
    # Behind since the meter's first record, for 60 s of the reader's clock; near from 130 s on.
    assert min(c.second for c in left_out) == pytest.approx(61.5, abs=2.0)
    assert max(c.second for c in left_out) == pytest.approx(130.0, abs=2.0)
    assert {c.second for c in came.closed if 63.0 < c.second < 128.0} <= {
        c.second for c in left_out
    }
    assert all(c.delay < 3.0 for c in left_out if c.second > 63.0)
    assert not [second for second in came.late if not 60.0 < second < 130.0 + 32.0]
    joined = [c for c in came.closed if c.end > 150.0]
    assert len(joined) > 70
    assert all(Modality.VIDEO in c.window.modalities for c in joined)
    assert all(30.0 < c.delay < 33.0 for c in joined)
