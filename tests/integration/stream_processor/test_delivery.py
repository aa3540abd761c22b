"""Both topics in, windows out; what may die in between is tried in ``tests/chaos``."""

import re
from collections import Counter

import pytest
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import Reading
from meltwatch_core.join.window import AlignedWindow
from meltwatch_local_cluster.servers import TritonServer
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.record import read_current, read_embedding
from meltwatch_schemas.score import ScoreStatus, WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, PUBLISHED_SPEC

from tests.integration.stream_processor import forgetful
from tests.integration.stream_processor.worker import Works, gaps, statuses
from tests.support.entries import entry_of
from tests.support.input_records import InputRecord, live

pytestmark = pytest.mark.integration

FURNACES = ("works/melt/F1", "works/melt/F2")
SECONDS = 45.0
Windows = dict[str, AlignedWindow]
HOP_NS = PUBLISHED_SPEC.hop_ns


@pytest.fixture(scope="module")
def records() -> list[InputRecord]:
    return live(FURNACES, SECONDS)


@pytest.fixture(scope="module")
def expected(records: list[InputRecord]) -> Windows:
    """The windows that the domain alone makes of each furnace's records."""
    windows: Windows = {}
    for name in FURNACES:
        joiner = PartitionJoiner(0, default_encoder())
        offsets: Counter[Topic] = Counter()
        for record in records:
            if record.key != name.encode():
                continue
            raw = record.at(offsets[record.topic])
            offsets[record.topic] += 1
            read = read_embedding if record.topic is Topic.EMBEDDINGS else read_current
            for window in joiner.advance(entry_of(read(raw), raw.offset), Reading(0)).windows:
                windows[window.window_id] = window
    return windows


def test_windows_of_both_topics_are_those_that_the_domain_makes(
    works: Works, triton: TritonServer, records: list[InputRecord], expected: Windows
) -> None:
    works.send(records)
    # Small limits, so that topics are paused and resumed again and again.
    limits = {"inflight_windows": 4, "read_ahead_records": 8}
    with works.worker(triton.address, **limits) as worker:
        scores = works.published(len(expected))
        worker.until_ready()
        assert worker.ask("healthz") == "ok\n"
        assert worker.stop() == 0
    assert {score.window_id for score in scores} == set(expected)
    assert gaps(scores, HOP_NS) == []
    for record, score in zip(works.scores.records, scores, strict=True):
        window = expected[score.window_id]
        end_ms = window.window_end_ns // NS_PER_MS
        assert (record.key, record.timestamp) == (window.furnace_id.encode(), end_ms)
        assert score.status is window.attainable_status
        assert resting_on(score) == resting_on(window)
    assert statuses(scores)[ScoreStatus.DEGRADED] > 30


def test_what_the_consumer_passes_over_is_read_all_the_same(
    works: Works, triton: TritonServer, records: list[InputRecord], expected: Windows
) -> None:
    works.send(records)
    with works.worker(triton.address, [forgetful.__name__]) as worker:
        scores = works.published(len(expected))
        missed = re.findall(r'records_missed_total{topic="(.*)"} ([0-9.]+)', worker.ask("metrics"))
        assert worker.stop() == 0
    partitions_per_topic = len({record.partition for record in works.scores.records})
    assert [float(count) for _, count in missed] == [
        forgetful.PASSED_OVER * partitions_per_topic
    ] * 2
    assert gaps(scores, HOP_NS) == []
    assert {s.window_id: resting_on(s) for s in scores} == {
        window_id: resting_on(window) for window_id, window in expected.items()
    }


def resting_on(verdict: WindowScore | AlignedWindow) -> tuple[object, ...]:
    """What a window rests on, whoever tells it."""
    return (
        verdict.video_coverage,
        verdict.current_coverage,
        verdict.features,
        verdict.sources,
        verdict.encoder_id,
    )
