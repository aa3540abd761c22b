"""Both topics in, windows out: the same whatever dies in between."""

import random
import time
from collections import Counter

import pytest
from meltwatch_local_cluster.servers import TritonServer
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.record import read_current, read_embedding
from meltwatch_schemas.score import ScoreStatus, WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, PUBLISHED_SPEC
from meltwatch_stream_processor.domain.aligned_window import AlignedWindow
from meltwatch_stream_processor.domain.partition import PartitionJoiner

from tests.integration.stream_processor.worker import Works, gaps, statuses, wait_until
from tests.support.input_records import InputRecord, live

pytestmark = pytest.mark.integration

FURNACES = ("works/melt/F1", "works/melt/F2")
SECONDS = 45.0
AWAY_S = 20.0
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
            for window in joiner.hand_on(read(raw), raw.offset).windows:
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
        assert worker.ask("healthz") == worker.ask("readyz") == "ok\n"
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


def test_killed_again_and_again_it_publishes_every_window_once_and_unchanged(
    works: Works, triton: TritonServer, records: list[InputRecord], expected: Windows
) -> None:
    works.send(records)
    stops = random.Random(7).sample(range(5, len(expected) - 20), 2)
    for stop in sorted(stops):
        with works.worker(triton.address, inflight_windows=4) as worker:
            works.published(stop)
            worker.kill()
    with works.worker(triton.address) as worker:
        works.published(len(expected))
        scores = works.settled(worker)
        assert worker.events()["partition_restored"] > 0
    assert Counter(score.window_id for score in scores) == Counter(expected.keys())
    assert gaps(scores, HOP_NS) == []
    for score in scores:
        assert resting_on(score) == resting_on(expected[score.window_id])


def test_a_process_that_dies_hands_its_partitions_over_in_the_middle(
    works: Works, triton: TritonServer, records: list[InputRecord], expected: Windows
) -> None:
    works.send(records)
    with works.worker(triton.address, inflight_windows=4) as first:
        works.published(10)
        with works.worker(triton.address, inflight_windows=4) as second:
            wait_until(lambda: second.events()["partitions_assigned"], 60, second.log.read_text)
            first.kill()
            works.published(len(expected))
            scores = works.settled(second)
            assert second.stop() == 0
    assert Counter(score.window_id for score in scores) == Counter(expected.keys())
    assert gaps(scores, HOP_NS) == []


def test_a_scorer_that_hangs_and_dies_for_20_s_costs_delay_and_no_verdict(
    works: Works, records: list[InputRecord], expected: Windows
) -> None:
    works.send(records)
    with (
        TritonServer(works.folder / "triton") as triton,
        works.worker(triton.address, inflight_windows=8) as worker,
    ):
        before = len(works.published(20))
        triton.freeze()
        time.sleep(AWAY_S / 2)
        triton.kill()
        time.sleep(AWAY_S / 2)
        during = len(works.scores.read())
        assert "has not answered" in worker.ask("readyz")
        assert worker.ask("healthz") == "ok\n"
        triton.start()
        scores = works.published(len(expected))
        events = worker.events()
    assert during - before < len(expected) / 2
    assert statuses(scores) == Counter(w.attainable_status for w in expected.values())
    assert gaps(scores, HOP_NS) == []
    assert events["triton_unreachable"] == events["triton_recovered"] == 1


def resting_on(verdict: WindowScore | AlignedWindow) -> tuple[object, ...]:
    """What a window rests on, whoever tells it."""
    return (
        verdict.video_coverage,
        verdict.current_coverage,
        verdict.features,
        verdict.sources,
        verdict.encoder_id,
    )
