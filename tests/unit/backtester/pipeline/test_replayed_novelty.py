"""NOVELTY in a replay is judged by the manager's code, and delays run on from before its begin."""

from dataclasses import replace

import pytest
from meltwatch_backtester.domain.journal import Journal
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.thresholds import Thresholds, TriedAlarmList
from meltwatch_backtester.pipeline.alarm_inputs import AlarmInputs
from meltwatch_backtester.pipeline.alarms import ReplayedAlarms
from meltwatch_schemas.novelty import Novelty
from meltwatch_schemas.score import WindowScore

from tests.unit.core.alarms.samples import (
    FURNACE,
    PREFIX,
    novelty_point,
    score,
    score_record,
    window_end,
)
from tests.unit.core.alarms.topic_log import TopicLog, without_run

POINTS = {FURNACE: (novelty_point(),)}


def course() -> list[WindowScore]:
    """Another portrait comes within the delay; it is stale for a while; then all is calm."""

    def compared(number: int, surprise: float, portrait: str, *reasons: str) -> WindowScore:
        seen = Novelty(portrait=portrait * 64, video=surprise, current=0.1, peak=(5, 5))
        return replace(score(number, None, reasons=reasons), novelty=seen)

    return [
        *(compared(number, 4.0, "a") for number in range(8)),
        *(compared(number, 4.0, "b") for number in range(8, 26)),
        *(compared(number, 0.2, "b", "portrait_stale") for number in range(26, 60)),
        *(compared(number, 0.2, "b") for number in range(60, 150)),
    ]


@pytest.mark.parametrize("begin", [0, 5, 12, 20])
def test_a_replay_raises_and_clears_what_live_did(begin: int) -> None:
    scores = course()
    live = TopicLog(points=POINTS)
    live.judge(scores)
    span = Span(window_end(begin), window_end(len(scores)))
    inputs = AlarmInputs(Journal((), span), [], [])
    replayed = ReplayedAlarms(0, inputs, TriedAlarmList(POINTS, Thresholds()), PREFIX)

    for offset, each in enumerate(scores[:begin]):
        replayed.recall(score_record(each, offset))
    replayed.begin_judging()
    told = [
        record
        for offset, each in enumerate(scores[begin:], begin)
        for record in replayed.judge(each, offset)
        if record.alarm_id.endswith("/NOVELTY")
    ]

    wanted = [record for record in live.alarms() if record.alarm_id.endswith("/NOVELTY")]
    assert [record.transition.cause for record in wanted] == ["RAISE", "CLEAR"]
    assert [without_run(record) for record in told] == [without_run(each) for each in wanted]
