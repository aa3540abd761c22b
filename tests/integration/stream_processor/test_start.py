"""What a worker says when it cannot start yet, or never."""

from pathlib import Path

import pytest
from meltwatch_local_cluster.servers.addresses import free_ports

from tests.integration.stream_processor.worker import Worker, Works
from tests.support.waiting import until

pytestmark = pytest.mark.integration


def nowhere() -> str:
    return f"127.0.0.1:{free_ports(1)[0]}"


def test_without_triton_it_waits_says_so_and_stops_when_told(works: Works) -> None:
    with works.worker(nowhere()) as worker:
        until(lambda: "Triton" in worker.ask("readyz"), worker.log.read_text, 60)
        assert worker.ask("healthz") == "ok\n"
        until(lambda: worker.events()["dependency_lost"], worker.log.read_text, 60)
        assert worker.stop() == 0


def test_missing_topics_are_named_in_one_line(kafka: object, tmp_path: Path) -> None:
    address = kafka.address  # type: ignore[attr-defined]  # a KafkaServer
    with Worker(tmp_path, kafka=address, triton=nowhere(), topic_prefix="nobody") as worker:
        assert worker.process.wait(60) == 2
        last = worker.log.read_text().splitlines()[-1]
    assert "expected the topics nobody.embeddings.v1" in last


def test_without_kafka_it_says_so_in_one_line(tmp_path: Path) -> None:
    with Worker(tmp_path, kafka=nowhere(), triton=nowhere()) as worker:
        assert worker.process.wait(60) == 3
        last = worker.log.read_text().splitlines()[-1]
    assert last.startswith("stream_processor: Kafka at ")
    assert "Connection refused" in last
