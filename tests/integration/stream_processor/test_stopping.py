"""Told to stop, a worker hands over within its session time-out, whatever is away."""

import time
from pathlib import Path

import pytest
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_local_cluster.servers import KafkaServer, TritonServer
from meltwatch_schemas.topics import catalogue

from tests.integration.stream_processor.worker import Worker, Works
from tests.support.input_records import live
from tests.support.promise import Promise
from tests.support.waiting import until

pytestmark = pytest.mark.integration

LIMIT_S = 12.0
"""Twice the session time-out; who waits for what is away takes 30 s."""
FURNACES = ("works/melt/F1", "works/melt/F2")


def assert_stops_in_time(worker: Worker) -> None:
    """Tell a worker to stop: it ends well, and soon."""
    promise = Promise(LIMIT_S)
    worker.process.terminate()
    promise.until(lambda: worker.process.poll() is not None, worker.log.read_text)
    assert worker.process.returncode == 0, worker.log.read_text()[-2000:]


@pytest.mark.long
def test_with_a_frozen_triton_it_leaves_its_windows_to_the_next(works: Works) -> None:
    works.send(live(FURNACES, 30.0))
    with (
        TritonServer(works.folder / "triton") as triton,
        works.worker(triton.address, inflight_windows=4) as first,
    ):
        works.published(5)
        triton.freeze()
        until(lambda: "inflight_windows 4.0" in first.ask("metrics"), "four windows in flight")
        assert_stops_in_time(first)
        triton.kill()
        triton.start()
        with works.worker(triton.address) as second:
            works.published(30)
            assert_stops_in_time(second)


def test_without_kafka_it_ends_all_the_same(triton: TritonServer, tmp_path: Path) -> None:
    with KafkaServer(tmp_path / "kafka") as kafka:
        create_topics({"bootstrap_servers": [kafka.address]}, catalogue("gone", 3))
        with Worker(
            tmp_path, kafka=kafka.address, triton=triton.address, topic_prefix="gone"
        ) as worker:
            worker.until_ready()
            kafka.kill()
            time.sleep(2.0)
            assert_stops_in_time(worker)
