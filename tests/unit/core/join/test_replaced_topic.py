"""A topic that was deleted and made again: its cuts are void, the furnace goes on."""

from dataclasses import replace
from itertools import count, pairwise

import pytest
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.restore import ScoresTail
from meltwatch_core.join.window import AlignedWindow, Outcome
from meltwatch_schemas.score import Modality

from tests.support.oracle import Record
from tests.unit.core.join.live_furnace import frames, samples
from tests.unit.core.join.lives import TOPICS, score_of
from tests.unit.core.join.sequences import ENCODER, PUBLISHED, at_once, rules_of, take

RULES = rules_of(PUBLISHED)
REPLACED_S, END_S = 200, 400


def records(start: int, end: int, offsets: dict[Modality, int]) -> list[Record]:
    """What a sound furnace sends, at offsets from these on."""
    sent = sorted([*frames(start, end - 0.1), *samples(start, end)], key=lambda a: a.at)
    numbers = {modality: count(offset) for modality, offset in offsets.items()}
    return [
        replace(arrival.record, offset=next(numbers[Modality(arrival.record.modality)]))
        for arrival in sent
    ]


def hand_on(
    joiner: PartitionJoiner, handed_on: list[Record]
) -> tuple[list[Outcome], list[AlignedWindow]]:
    outcomes = [take(joiner, step) for step in at_once(handed_on)]
    return outcomes, [window for outcome in outcomes for window in outcome.windows]


@pytest.mark.parametrize("replaced", [set(Modality), {Modality.VIDEO}, {Modality.CURRENT}])
def test_the_furnace_goes_on_behind_its_last_window(replaced):
    first = PartitionJoiner(7, ENCODER, RULES)
    before = records(0, REPLACED_S, dict.fromkeys(Modality, 0))
    published = hand_on(first, before)[1]
    for window in published:
        first.published(window)
    ends = {m: 0 if m in replaced else 10_000 for m in Modality}
    tail = ScoresTail(TOPICS, ends, is_void=lambda modality, _: modality in replaced)
    for window in published:
        tail.add_score(score_of(window))
    assert tail.foreign == 0
    starts = {m: 0 if m in replaced else first.acknowledgeable()[m] for m in Modality}
    again = [r for r in before if Modality(r.modality) not in replaced]
    again = [r for r in again if r.offset >= starts[Modality(r.modality)]]
    behind = {m: 0 if m in replaced else sum(r.modality == m for r in before) for m in Modality}
    second = PartitionJoiner(7, ENCODER, RULES, tail.resumption(starts))
    outcomes, windows = hand_on(second, [*again, *records(REPLACED_S, END_S, behind)])
    numbers = [window.window_end_ns for window in (*published, *windows)]
    assert {b - a for a, b in pairwise(numbers)} == {PUBLISHED.hop}
    assert [o.history for o in outcomes[len(again) :]] == [False] * (len(outcomes) - len(again))
    whole = windows[-40:]
    assert all(window.modalities == tuple(Modality) for window in whole)
    assert {(window.video_coverage, window.current_coverage) for window in whole} == {(1.0, 1.0)}
