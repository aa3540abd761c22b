"""Clocks that step back, and furnaces that fall silent, by the reader's own clock."""

from itertools import pairwise

import pytest
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import Modality

from tests.support.oracle import Step
from tests.support.rule_numbers import CURRENT, VIDEO
from tests.unit.core.join.live_furnace import (
    FURNACE,
    ORIGIN,
    S,
    at,
    delayed,
    frames,
    lived,
    samples,
)
from tests.unit.core.join.sequences import ENCODER, PUBLISHED, numbered, read_at, rules_of, take

STEP = {Modality.VIDEO: Reason.CLOCK_STEP_VIDEO, Modality.CURRENT: Reason.CLOCK_STEP_CURRENT}


def an_hour_back(second: float) -> float:
    """A clock that is an hour back for a while."""
    return second - 3600.0 if 140.0 <= second < 180.0 else second


@pytest.mark.parametrize("modality", Modality)
def test_a_furnace_is_judged_at_once_without_the_source_whose_clock_went_back(modality):
    wrong = modality is Modality.VIDEO
    camera = frames(0.1, 320.0, an_hour_back) if wrong else frames(0.1, 320.0)
    meter = samples(0.0, 320.0) if wrong else samples(0.0, 320.0, an_hour_back)
    came = lived(camera, meter, retired=False)
    assert all(closed.delay < 3.0 for closed in came.closed if closed.end > 5.0)
    assert all(138.0 < second < 182.0 for second in came.late)
    meanwhile = [c for c in came.closed if 142.0 < c.second < 178.0]
    assert len(meanwhile) > 20
    assert all(STEP[modality] in c.window.reasons for c in meanwhile)
    assert all((Modality.CURRENT if wrong else Modality.VIDEO) in c.window.modalities
               for c in meanwhile if c.end > 150.0)  # fmt: skip
    healed = [c for c in came.closed if c.end > 180.0 + (10.0 if wrong else 125.0)]
    assert healed
    assert all(c.window.modalities == tuple(Modality) for c in healed)


def test_while_both_clocks_are_back_no_window_closes():
    came = lived(frames(0.1, 200.0, an_hour_back), samples(0.0, 200.0, an_hour_back), retired=False)
    seconds = [closed.second for closed in came.closed]
    assert not [second for second in seconds if 142.0 < second < 179.0]
    assert max(seconds) > 199.0
    ends = [closed.window.window_end_ns for closed in came.closed]
    assert {b - a for a, b in pairwise(ends)} == {PUBLISHED.hop}


def silent(seconds: float, read: float | None = None) -> Step:
    """A look at the clock so long after the last record, and as of when all is read."""
    return read_at(at(60.0 + seconds), at(60.0 + (seconds if read is None else read)))


def a_minute() -> tuple[PartitionJoiner, list[int]]:
    """A joiner that has read a minute of a furnace, and the windows that closed."""
    joiner, ends = PartitionJoiner(7, ENCODER, rules_of(PUBLISHED)), list[int]()
    arrivals = sorted([*frames(0.1, 60.0), *samples(0.0, 60.0)], key=lambda a: a.at)
    for record in numbered(arrival.record for arrival in arrivals):
        step = Step(at(60.0), read_at(at(60.0)).read_as_of, record)
        ends += [window.window_end_ns for window in take(joiner, step).windows]
    return joiner, ends


def test_a_furnace_is_retired_when_all_is_read_and_nothing_came_for_long():
    joiner, ends = a_minute()
    assert take(joiner, silent(124.9)).retired == ()
    last = take(joiner, silent(125.1))
    assert last.retired == (FURNACE,)
    ends += [window.window_end_ns for window in last.windows]
    assert {b - a for a, b in pairwise(ends)} == {PUBLISHED.hop}
    newest = max(at(59.5), *(a.record.times[-1] for a in frames(0.1, 60.0)))
    assert newest + PUBLISHED.lookback - PUBLISHED.hop <= ends[-1] < newest + PUBLISHED.lookback
    assert joiner.furnaces == 0


def test_a_reader_who_was_frozen_or_is_behind_retires_nobody():
    joiner, _ = a_minute()
    assert take(joiner, silent(4000.0, read=0.0)).retired == ()
    assert take(joiner, Step(at(5000.0), {VIDEO: at(5000.0), CURRENT: at(60.0)})).retired == ()
    assert take(joiner, Step(at(5000.0), {VIDEO: at(5000.0)})).retired == ()
    assert take(joiner, silent(5000.0)).retired == (FURNACE,)


def test_a_gateway_that_delivers_an_hour_late_starts_the_furnace_anew():
    """What no window of the life before has waited for is judged; nothing is published twice."""
    early = [frames(0.1, 60.0), samples(0.0, 60.0)]
    late = [frames(60.1, 400.0), samples(60.0, 400.0)]
    hour = [delayed(stream, lambda second: 3600.0 - second / 100) for stream in late]
    came = lived(*early, *hour)
    ends = [closed.window.window_end_ns for closed in came.closed]
    assert ends == sorted(set(ends))
    assert {b - a for a, b in pairwise(ends)} == {PUBLISHED.hop}
    assert ends[-1] > at(400.0)
    closed_before = 60.0 + PUBLISHED.lookback / S
    assert len(came.late) == sum(
        a.record.times[0] <= max(end for end in ends if end < at(closed_before))
        for stream in late
        for a in stream
    )
    joined = [c for c in came.closed if closed_before + 1.0 < c.end < 399.0]
    assert all(Modality.VIDEO in c.window.modalities for c in joined)
    assert ends[0] > ORIGIN
