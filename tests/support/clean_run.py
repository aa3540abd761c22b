"""Simulated furnaces through the join into the alarm manager, faster than life, without Triton.

``python -m tests.support.clean_run --furnaces 4 --hours 2`` prints every alarm of it: none is
right. ``--fault clock_back`` has something wrong with the first furnace, from minute 3 on for all
the hours. Verdicts are made up (a calm logit); what is tried are the words of the scores and the
clock.
"""

import argparse
import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import takewhile
from typing import Final

import numpy as np
from meltwatch_core.join.buffers import Chunk
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import Reading
from meltwatch_core.join.topics import TopicNames
from meltwatch_core.scoring.judge import Judgement
from meltwatch_core.scoring.ports import Verdict
from meltwatch_core.scoring.scores import ScoreContext, make_score
from meltwatch_schemas import default_points
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.score import Modality, ModelIdentity, WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC
from meltwatch_simulator import Scenario, furnace_ids

from tests.support.builders import current_chunk, embedding_chunk
from tests.support.entries import entry_of
from tests.unit.core.alarms.samples import score_record
from tests.unit.core.alarms.topic_log import TopicLog

SEED: Final = 1
ORIGIN_NS: Final = 1_790_000_000 * NS_PER_S
BACKFILL_NS: Final = 120 * NS_PER_S
_VIDEO_DELAY_NS, _CURRENT_DELAY_NS = 60 * NS_PER_MS, 20 * NS_PER_MS
_SCORED_AFTER_NS: Final = 300 * NS_PER_MS
_TOPICS: Final = TopicNames("test")
_CALM: Final = Judgement(Verdict(-3.0, (-3.0, -3.0), 0.0, np.zeros((64, 64), np.float32)), 1)
FAULT_FROM_S: Final = 180.0
_RECOVERY_S: Final = 300.0
_STEP_NS: Final = 3600 * NS_PER_S

Sent = tuple[int, Chunk]
"""When a record comes, and what it says."""
Fault = Callable[[Chunk], Chunk | None]
"""What a faulty source sends instead of a record; None: nothing."""


def chunks(furnace_id: str, seconds: float, *, repeated: bool = False) -> Iterator[Sent]:
    """Yield a furnace's records with their ingest times: currents with two minutes of history.

    Parameters
    ----------
    furnace_id
        Whose.
    seconds
        How long.
    repeated
        Whether its first minute is shown again and again, which is much faster.
    """
    end_ns = ORIGIN_NS + round(seconds * NS_PER_S)
    both = heapq.merge(
        _frames(furnace_id, seconds, repeated),
        _samples(furnace_id, seconds, repeated),
        key=lambda each: each[0],
    )
    yield from takewhile(lambda each: each[0] < end_ns, both)


def camera_gone(chunk: Chunk) -> Chunk | None:
    return None if isinstance(chunk, EmbeddingChunk) else chunk


def meter_gone(chunk: Chunk) -> Chunk | None:
    return chunk if isinstance(chunk, EmbeddingChunk) else None


def both_gone(_chunk: Chunk) -> Chunk | None:
    return None


def frozen_video(chunk: Chunk) -> Chunk | None:
    """Repeat one picture for ever."""
    if isinstance(chunk, EmbeddingChunk):
        return replace(chunk, data=np.full_like(chunk.data, 100.0))
    return chunk


def camera_clock_back(chunk: Chunk) -> Chunk | None:
    """Have the camera's clock an hour behind; its gateway's is right."""
    if isinstance(chunk, EmbeddingChunk):
        return replace(chunk, event_times_ns=chunk.event_times_ns - _STEP_NS)
    return chunk


def meter_clock_back(chunk: Chunk) -> Chunk | None:
    if isinstance(chunk, EmbeddingChunk):
        return chunk
    return replace(chunk, event_time_ns=chunk.event_time_ns - _STEP_NS)


FAULTS: Final[Mapping[str, Fault]] = {
    fault.__name__: fault
    for fault in (
        camera_gone,
        meter_gone,
        both_gone,
        frozen_video,
        camera_clock_back,
        meter_clock_back,
    )
}


def during(sent: Iterator[Sent], fault: Fault, lasts_s: float) -> Iterator[Sent]:
    """Yield what comes of a furnace whose source is faulty for a while."""
    start_ns = ORIGIN_NS + round(FAULT_FROM_S * NS_PER_S)
    end_ns = start_ns + round(lasts_s * NS_PER_S)
    for at_ns, chunk in sent:
        said = fault(chunk) if start_ns <= at_ns < end_ns else chunk
        if said is not None:
            yield at_ns, said


def _frames(furnace_id: str, seconds: float, repeated: bool) -> Iterator[Sent]:
    furnace = Scenario(SEED, furnace_ids(8), ORIGIN_NS, None).furnace(furnace_id)
    encoder, seq, shown = default_encoder(), 0, None
    stride_ns = PUBLISHED_SPEC.frame_stride_ns
    first_ns = PUBLISHED_SPEC.first_end_after(furnace_id, ORIGIN_NS)
    for start_ns in range(first_ns, ORIGIN_NS + round(seconds * NS_PER_S), 80 * stride_ns):
        times = (start_ns + np.arange(80) * stride_ns) // (40 * NS_PER_MS) * (40 * NS_PER_MS)
        if shown is None or not repeated:
            shown = encoder.encode(furnace.frames(times))
        for time_ns, rows in zip(times, shown, strict=True):
            at_ns = int(time_ns) + _VIDEO_DELAY_NS
            yield (
                at_ns,
                embedding_chunk(
                    [time_ns], rows[None], furnace_id=furnace_id, seq=seq, ingest_time_ns=at_ns
                ),
            )
            seq += 1


def _samples(furnace_id: str, seconds: float, repeated: bool) -> Iterator[Sent]:
    furnace = Scenario(SEED, furnace_ids(8), ORIGIN_NS, None).furnace(furnace_id)
    period_ns, seq, values = PUBLISHED_SPEC.sample_period_ns, 0, None
    end_ns = ORIGIN_NS + round(seconds * NS_PER_S)
    for start_ns in range(ORIGIN_NS - BACKFILL_NS, end_ns, 120 * period_ns):
        times = start_ns + np.arange(120) * period_ns
        if values is None or not repeated:
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


def scores(furnace_id: str, sent: Iterator[Sent]) -> Iterator[tuple[int, WindowScore]]:
    """Yield what a furnace's records come to, with the instants at which it is published."""
    joiner = PartitionJoiner(0, default_encoder())
    # The ensemble that the default set-point names, whichever that is at present.
    model = ModelIdentity("fmformer", "1", default_points.MODEL_DIGEST)
    context = ScoreContext(_TOPICS, model, PUBLISHED_SPEC.spec_id, 0.2, frozenset())
    for offset, (at_ns, chunk) in enumerate(sent):
        # All is read at once: the reader's clock is the one by which records are sent.
        reading = Reading(at_ns, dict.fromkeys(Modality, at_ns))
        outcomes = joiner.advance(entry_of(chunk, offset), reading), joiner.advance(None, reading)
        for window in (window for outcome in outcomes for window in outcome.windows):
            judgement = _CALM if window.modalities else Judgement()
            published_ns = at_ns + _SCORED_AFTER_NS
            yield published_ns, make_score(window, judgement, context, at_ns, published_ns)
            joiner.published(window)


def alarms(furnaces: Mapping[str, Iterator[Sent]], seconds: float) -> list[AlarmRecord]:
    """Return what is said of furnaces that send this, for so long."""
    log = TopicLog()
    manager = log.take_over()
    ticks = ((ORIGIN_NS + second * NS_PER_S, None) for second in range(round(seconds)))
    judged = (scores(name, sent) for name, sent in furnaces.items())
    for offset, (at_ns, score) in enumerate(heapq.merge(ticks, *judged, key=lambda each: each[0])):
        if score is None:
            log.written += manager.tick(at_ns, at_ns - NS_PER_S // 2)
        else:
            log.written += manager.handle_record(score_record(score, offset), at_ns)
    return [AlarmRecord.from_json(out.value or b"") for out in log.of(Topic.ALARMS)]


def clean_alarms(furnaces: int, seconds: float) -> list[AlarmRecord]:
    """Return what is said of simulated furnaces, from their first record on."""
    return alarms({name: chunks(name, seconds) for name in furnace_ids(furnaces)}, seconds)


def faulty_alarms(faults: Mapping[str, Fault], lasts_s: float) -> list[AlarmRecord]:
    """Return what is said of furnaces that have a fault each for a while, and are well again."""
    seconds = FAULT_FROM_S + lasts_s + _RECOVERY_S
    return alarms(
        {
            name: during(chunks(name, seconds, repeated=True), fault, lasts_s)
            for name, fault in faults.items()
        },
        seconds,
    )


def main() -> None:
    """Print what is raised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--furnaces", type=int, default=4)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--fault", choices=FAULTS, help="of the first furnace")
    asked = parser.parse_args()
    seconds = asked.hours * 3600
    if asked.fault:
        names = furnace_ids(asked.furnaces)
        faults = dict.fromkeys(names, lambda chunk: chunk) | {names[0]: FAULTS[asked.fault]}
        found = faulty_alarms(faults, seconds)
    else:
        found = clean_alarms(asked.furnaces, seconds)
    for record in found:
        print(record.times.published, record.alarm_id, record.state.value, record.message)
    print(f"{len(found)} alarm records of {asked.furnaces} furnaces in {asked.hours:g} h")


if __name__ == "__main__":
    main()
