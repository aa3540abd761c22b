"""The rules of the alarms: rows that need no server."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import count
from typing import Final

import msgpack
from meltwatch_core.alarms.manager.alarms import AlarmPipeline
from meltwatch_schemas.default_setpoint import MODEL_DIGEST
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.score import ModelIdentity
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.bench.comparison import Comparison, Size
from tests.bench.figure import US, Goal
from tests.bench.measure import Cost, Stopwatch, Subject
from tests.bench.streams import names
from tests.support.builders import NOON_NS, window_score
from tests.unit.core.alarms.samples import score_record
from tests.unit.core.alarms.topic_log import TopicLog

FURNACES: Final = 100
HOPS: Final = 20
BARE: Final = "bare msgpack"
_RUNS: Final = count(1)
# The ensemble that the default set-points were made for.
_MODEL: Final = ModelIdentity("fmformer", "1", MODEL_DIGEST)


@cache
def _scores(hops: int) -> Sequence[RawRecord]:
    """What a healthy plant publishes: every logit is far below its threshold."""
    first = {name: PUBLISHED_SPEC.first_end_after(name, NOON_NS) for name in names(FURNACES)}
    scores = [
        window_score(end_ns + hop * PUBLISHED_SPEC.hop_ns, name, model=_MODEL)
        for hop in range(hops)
        for name, end_ns in first.items()
    ]
    scores.sort(key=lambda score: score.window_end_ns)
    return [score_record(score, offset) for offset, score in enumerate(scores)]


def _as_never_read(records: Sequence[RawRecord]) -> list[RawRecord]:
    """Give records other offsets than in any run before: what is known of those is of no use."""
    first = next(_RUNS) * len(records)
    return [replace(record, offset=first + place) for place, record in enumerate(records)]


def _now_ns(record: RawRecord) -> int:
    return record.timestamp_ms * 1_000_000 + NS_PER_S


def _judge(pipeline: AlarmPipeline, records: Sequence[RawRecord]) -> None:
    for record in records:
        pipeline.name(record, record.offset)
        pipeline.handle_record(record, _now_ns(record))


def _judged(records: Sequence[RawRecord]) -> Cost:
    pipeline, records = TopicLog().take_over(), _as_never_read(records)
    known = len(records) // 4
    _judge(pipeline, records[:known])
    with Stopwatch() as watch:
        _judge(pipeline, records[known:])
    return watch.cost(len(records) - known)


def _unpacked(records: Sequence[RawRecord]) -> Cost:
    with Stopwatch() as watch:
        for record in records:
            msgpack.unpackb(record.value)
    return watch.cost(len(records))


def _score_subjects(size: Size) -> Mapping[str, Subject]:
    records = _scores(size.of(HOPS))
    return {"ours": partial(_judged, records), BARE: partial(_unpacked, records)}


def _ticked(records: Sequence[RawRecord], times: int) -> Cost:
    pipeline = TopicLog().take_over()
    _judge(pipeline, records)
    now_ns = _now_ns(records[-1])
    with Stopwatch() as watch:
        for second in range(times):
            at_ns = now_ns + second * NS_PER_S
            pipeline.tick(at_ns, at_ns)
    return watch.cost(times * FURNACES)


def _tick_subjects(size: Size) -> Mapping[str, Subject]:
    return {"ours": partial(_ticked, _scores(4), size.of(12))}


def _committed(records: Sequence[RawRecord], times: int) -> Cost:
    pipeline = TopicLog().take_over()
    _judge(pipeline, records)
    with Stopwatch() as watch:
        for _ in range(times):
            pipeline.commits()
    return watch.cost(times * FURNACES)


def _commit_subjects(size: Size) -> Mapping[str, Subject]:
    return {"ours": partial(_committed, _scores(4), size.of(40))}


def comparisons() -> list[Comparison]:
    """Return the rows."""
    return [
        Comparison(
            "alarms.score",
            "a score judged by the rules, without Kafka and Redis",
            US,
            _score_subjects,
            Goal(150.0),
        ),
        Comparison("alarms.tick", "a second's tick, for each furnace", US, _tick_subjects),
        Comparison(
            "alarms.commit", "what a transaction commits, for each furnace", US, _commit_subjects
        ),
    ]
