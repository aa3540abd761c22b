"""Sources that stop in the middle of a stream, and a worker that dies meanwhile."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import Reading
from meltwatch_core.join.window import AlignedWindow
from meltwatch_local_cluster.servers import TritonServer
from meltwatch_schemas.current import encode_current
from meltwatch_schemas.embedding import encode_embedding
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.record import read_current, read_embedding
from meltwatch_schemas.score import Modality, ScoreStatus, WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from tests.integration.stream_processor.worker import Works
from tests.support.entries import entry_of
from tests.support.input_records import ORIGIN_NS, InputRecord, live

pytestmark = pytest.mark.integration

STOPS, STILL = "works/melt/F1", "works/melt/F2"
CAMERA_STARTS_S, FREEZES_S, DIES_S, END_S = 121, 131, 142, 147


def seconds(record: InputRecord) -> float:
    return record.timestamp_ms / 1000 - ORIGIN_NS / NS_PER_S


def at(second: float) -> int:
    return ORIGIN_NS + round(second * NS_PER_S)


def as_shown(record: InputRecord) -> InputRecord:
    """The same record with the content of a source that stands still."""
    raw = record.at(0)
    if record.topic is Topic.EMBEDDINGS:
        frame = read_embedding(raw)
        shown = default_encoder().encode(np.full((1, 64, 64, 3), 90, np.uint8))
        return replace(record, value=encode_embedding(replace(frame, data=shown)))
    sample = read_current(raw)
    constant = np.full_like(sample.data, 40_000.0)
    return replace(record, value=encode_current(replace(sample, data=constant)))


def records() -> list[InputRecord]:
    """Cameras that start late, so that few windows need scoring; one stops, one never moved."""
    given = []
    for record in live((STOPS, STILL), END_S):
        video = record.topic is Topic.EMBEDDINGS
        if video and seconds(record) < CAMERA_STARTS_S:
            continue
        stopped = video and seconds(record) >= FREEZES_S
        still = record.key == STILL.encode()
        given.append(as_shown(record) if stopped or still else record)
    return given


def windows_of(given: list[InputRecord]) -> dict[str, AlignedWindow]:
    """What the domain alone makes of the records of each furnace."""
    windows = {}
    for name in (STOPS, STILL):
        joiner, offsets = PartitionJoiner(0, default_encoder()), Counter[Topic]()
        for record in given:
            if record.key != name.encode():
                continue
            raw = record.at(offsets[record.topic])
            offsets[record.topic] += 1
            read = read_embedding if record.topic is Topic.EMBEDDINGS else read_current
            for window in joiner.advance(entry_of(read(raw), raw.offset), Reading(0)).windows:
                windows[window.window_id] = window
    return windows


def said(window: WindowScore | AlignedWindow) -> tuple[object, ...]:
    return window.modalities, window.reasons, window.features, window.source_states


def test_a_camera_that_freezes_is_left_out_and_stays_so_when_the_worker_dies(
    works: Works, triton: TritonServer
) -> None:
    given = records()
    expected = windows_of(given)
    # What had come two seconds before was surely closed.
    first = [w for w in expected.values() if w.window_end_ns < at(DIES_S - 2)]
    before = [record for record in given if seconds(record) < DIES_S]
    works.send(before)
    # Under one name the second life need not wait until the first is missed.
    with works.worker(triton.address, group_instance_id="one") as worker:
        works.published(len(first))
        worker.kill()
    works.send(given[len(before) :])
    with works.worker(triton.address, group_instance_id="one") as worker:
        works.published(len(expected))
        scores = works.settled(worker)
        metrics = worker.ask("metrics")
    assert {score.window_id: said(score) for score in scores} == {
        name: said(window) for name, window in expected.items()
    }
    late = [score for score in scores if score.window_end_ns >= at(FREEZES_S + 7.2)]
    for score in (score for score in late if score.furnace_id == STOPS):
        assert score.status is ScoreStatus.DEGRADED
        assert (score.modalities, score.video_coverage) == ((Modality.CURRENT,), 1.0)
        assert score.reasons == ("frozen_video",)
    for score in (score for score in late if score.furnace_id == STILL):
        assert score.status is ScoreStatus.SCORED
        assert score.reasons == ("frozen_video", "stuck_current")
    assert Counter(score.furnace_id for score in late)[STOPS] > 3
    counted = f'irregularities_total{{furnace="{STOPS}",kind="frozen_video",modality="video"}}'
    assert counted in metrics
