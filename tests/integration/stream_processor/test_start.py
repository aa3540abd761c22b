"""What a worker says when it cannot start yet, or never."""

from pathlib import Path

import pytest

from tests.integration.stream_processor.worker import Worker, Works
from tests.support.waiting import LIMIT_S, until

pytestmark = pytest.mark.integration


# Nobody listens there, today or in a moment.
NOWHERE = "127.0.0.1:1"


def test_without_triton_it_waits_says_so_and_stops_when_told(works: Works) -> None:
    with works.worker(NOWHERE) as worker:
        until(lambda: "Triton" in worker.ask("readyz"), worker.log.read_text)
        assert worker.ask("healthz") == "ok\n"
        until(lambda: worker.events()["dependency_lost"], worker.log.read_text)
        assert worker.stop() == 0


def test_missing_topics_are_named_in_one_line(kafka: object, tmp_path: Path) -> None:
    address = kafka.address  # type: ignore[attr-defined]  # a KafkaServer
    with Worker(tmp_path, kafka=address, triton=NOWHERE, topic_prefix="nobody") as worker:
        assert worker.process.wait(LIMIT_S) == 2
        last = worker.log.read_text().splitlines()[-1]
    assert "expected the topics nobody.embeddings.v1" in last


def test_without_kafka_it_says_so_in_one_line(tmp_path: Path) -> None:
    with Worker(tmp_path, kafka=NOWHERE, triton=NOWHERE) as worker:
        assert worker.process.wait(LIMIT_S) == 3
        last = worker.log.read_text().splitlines()[-1]
    assert last.startswith("stream_processor: Kafka at ")
    assert "Connection refused" in last
