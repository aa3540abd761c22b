"""Simulated furnaces through the join into the alarm manager, faster than life, without Triton.

``python -m tests.support.clean_run --furnaces 4 --hours 2`` prints every alarm of it: none is
right. Verdicts are made up (a calm logit); what is tried are the words of the scores and the
clock.
"""

import argparse
import heapq
from collections.abc import Iterator
from itertools import takewhile
from typing import Final

import numpy as np
from meltwatch_alarm_manager.domain import points
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.score import ModelIdentity, WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC
from meltwatch_simulator import Scenario, furnace_ids
from meltwatch_stream_processor.domain.buffers import Chunk
from meltwatch_stream_processor.domain.partition import PartitionJoiner
from meltwatch_stream_processor.pipeline.judge import Judgement
from meltwatch_stream_processor.pipeline.scores import ScoreContext, make_score
from meltwatch_stream_processor.pipeline.topics import TopicNames
from meltwatch_stream_processor.ports import Verdict

from tests.support.builders import current_chunk, embedding_chunk
from tests.unit.alarm_manager.samples import score_record
from tests.unit.alarm_manager.topic_log import TopicLog

SEED: Final = 1
ORIGIN_NS: Final = 1_790_000_000 * NS_PER_S
BACKFILL_NS: Final = 120 * NS_PER_S
_VIDEO_DELAY_NS, _CURRENT_DELAY_NS = 60 * NS_PER_MS, 20 * NS_PER_MS
_SCORED_AFTER_NS: Final = 300 * NS_PER_MS
_TOPICS: Final = TopicNames("test")
_CALM: Final = Judgement(Verdict(-3.0, (-3.0, -3.0), 0.0, np.zeros((64, 64), np.float32)), 1)


def chunks(furnace_id: str, seconds: float) -> Iterator[tuple[int, Chunk]]:
    """Yield a furnace's records with their ingest times: currents with two minutes of history."""
    end_ns = ORIGIN_NS + round(seconds * NS_PER_S)
    both = heapq.merge(
        _frames(furnace_id, seconds), _samples(furnace_id, seconds), key=lambda each: each[0]
    )
    yield from takewhile(lambda each: each[0] < end_ns, both)


def _frames(furnace_id: str, seconds: float) -> Iterator[tuple[int, Chunk]]:
    furnace = Scenario(SEED, furnace_ids(8), ORIGIN_NS, None).furnace(furnace_id)
    encoder, seq = default_encoder(), 0
    stride_ns = PUBLISHED_SPEC.frame_stride_ns
    first_ns = PUBLISHED_SPEC.first_end_after(furnace_id, ORIGIN_NS)
    for start_ns in range(first_ns, ORIGIN_NS + round(seconds * NS_PER_S), 80 * stride_ns):
        times = (start_ns + np.arange(80) * stride_ns) // (40 * NS_PER_MS) * (40 * NS_PER_MS)
        for time_ns, rows in zip(times, encoder.encode(furnace.frames(times)), strict=True):
            at_ns = int(time_ns) + _VIDEO_DELAY_NS
            yield (
                at_ns,
                embedding_chunk(
                    [time_ns], rows[None], furnace_id=furnace_id, seq=seq, ingest_time_ns=at_ns
                ),
            )
            seq += 1


def _samples(furnace_id: str, seconds: float) -> Iterator[tuple[int, Chunk]]:
    furnace = Scenario(SEED, furnace_ids(8), ORIGIN_NS, None).furnace(furnace_id)
    period_ns, seq = PUBLISHED_SPEC.sample_period_ns, 0
    end_ns = ORIGIN_NS + round(seconds * NS_PER_S)
    for start_ns in range(ORIGIN_NS - BACKFILL_NS, end_ns, 120 * period_ns):
        times = start_ns + np.arange(120) * period_ns
        values = furnace.currents(times)
        for first in range(0, 120, 2):
            at_ns = max(ORIGIN_NS, int(times[first + 1]) + _CURRENT_DELAY_NS)
            yield (
                at_ns,
                current_chunk(
                    int(times[first]),
                    values[first : first + 2],
                    furnace_id=furnace_id,
                    seq=seq,
                    ingest_time_ns=at_ns,
                ),
            )
            seq += 2


def scores(furnace_id: str, seconds: float) -> Iterator[tuple[int, WindowScore]]:
    """Yield a furnace's scores with the instants at which they are published."""
    joiner = PartitionJoiner(0, default_encoder())
    # The ensemble that the default set-point names, whichever that is at present.
    model = ModelIdentity("fmformer", "1", points.MODEL_DIGEST)
    context = ScoreContext(_TOPICS, model, PUBLISHED_SPEC.spec_id, 0.2, frozenset())
    for offset, (at_ns, chunk) in enumerate(chunks(furnace_id, seconds)):
        for window in joiner.hand_on(chunk, offset).windows:
            judgement = _CALM if window.modalities else Judgement()
            published_ns = at_ns + _SCORED_AFTER_NS
            yield published_ns, make_score(window, judgement, context, at_ns, published_ns)
            joiner.published(window)


def alarms(furnaces: int, seconds: float) -> list[AlarmRecord]:
    """Return the alarm records of simulated furnaces, from their first record on."""
    log = TopicLog()
    manager = log.take_over()
    every = heapq.merge(
        *(scores(name, seconds) for name in furnace_ids(furnaces)), key=lambda each: each[0]
    )
    tick_ns = ORIGIN_NS
    for offset, (at_ns, score) in enumerate(every):
        while tick_ns < at_ns:
            log.written += manager.tick(tick_ns, tick_ns - NS_PER_S // 2)
            tick_ns += NS_PER_S
        log.written += manager.handle(score_record(score, offset), at_ns)
    return [AlarmRecord.from_json(out.value or b"") for out in log.of(Topic.ALARMS)]


def main() -> None:
    """Print what is raised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--furnaces", type=int, default=4)
    parser.add_argument("--hours", type=float, default=2.0)
    asked = parser.parse_args()
    found = alarms(asked.furnaces, asked.hours * 3600)
    for record in found:
        print(record.times.published, record.alarm_id, record.state.value, record.message)
    print(f"{len(found)} alarm records of {asked.furnaces} furnaces in {asked.hours:g} h")


if __name__ == "__main__":
    main()
