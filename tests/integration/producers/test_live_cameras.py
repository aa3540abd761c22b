"""The video producer with a plant file: a real camera's frames in Kafka, and its login nowhere."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from kafka import KafkaConsumer, TopicPartition
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_local_cluster.servers.addresses import free_ports
from meltwatch_schemas.embedding import EmbeddingChunk, decode_embedding
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, PUBLISHED_SPEC

from tests.support.cameras import PASSWORD, USER, drawn_ns, gst_camera
from tests.support.servers import Topics
from tests.support.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
SECRETS = {
    PASSWORD,
    quote(PASSWORD, safe=""),
    quote(PASSWORD),
    repr(PASSWORD)[1:-1],
    "p%40s",
    "p@s:",
}


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    health: str
    log: Path

    def page(self, path: str) -> str:
        """Give a page of its health server, nothing while there is none."""
        try:
            with urllib.request.urlopen(f"{self.health}{path}", timeout=5) as answer:  # noqa: S310 - our own
                return str(answer.read().decode())
        except OSError:
            return ""

    def command_lines(self) -> str:
        """Give what ps shows of it, and what its environment is."""
        place = Path(f"/proc/{self.process.pid}")
        return "".join((place / name).read_text() for name in ("cmdline", "environ", "comm"))


@contextmanager
def video_producer(kafka: str, prefix: str, plant: Path) -> Iterator[Running]:
    (port,) = free_ports(1)
    own = {
        "MELTWATCH_KAFKA": kafka,
        "MELTWATCH_TOPIC_PREFIX": prefix,
        "MELTWATCH_HEALTH_ADDRESS": f"127.0.0.1:{port}",
        "MELTWATCH_PLANT_FILE": str(plant),
    }
    environ = {k: v for k, v in os.environ.items() if not k.startswith("MELTWATCH_")} | own
    log = plant.parent / "producer.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "meltwatch_video_producer"], env=environ, stderr=output
        )
    try:
        yield Running(process, f"http://127.0.0.1:{port}", log)
    finally:
        process.kill()
        process.wait()


def used(metrics: str) -> float:
    """Give how many frames of the right camera were used."""
    found = re.search(
        r'frames_total\{furnace="site/area/F-right",outcome="used"\} ([0-9.]+)', metrics
    )
    return float(found[1]) if found else 0


def chunks_of(kafka: str, topic: str) -> list[EmbeddingChunk]:
    consumer = KafkaConsumer(bootstrap_servers=kafka)
    partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends = consumer.end_offsets(partitions)
    found = []
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for records in consumer.poll(timeout_ms=500).values():
            found += [decode_embedding(record.value) for record in records]
    consumer.close()
    return found


def test_a_real_camera_s_frames_are_in_kafka_and_its_login_is_nowhere(
    kafka: KafkaServer, topics: Topics, tmp_path: Path
) -> None:
    for name, password in (("right", PASSWORD), ("wrong", f"{PASSWORD}!")):
        login = tmp_path / "logins" / name
        login.mkdir(parents=True)
        (login / "username").write_text(USER)
        (login / "password").write_text(password)
    plant = tmp_path / "plant.yaml"
    topic = topics.name(Topic.EMBEDDINGS)
    with gst_camera() as camera:
        furnaces = "".join(
            f"  - id: site/area/F-{name}\n    name: one\n    video: {{source_id: cam, address: "
            f"'{camera.locked_url}', credentials: {name}, crop: [0, 0, 128, 128]}}\n"
            for name in ("right", "wrong")
        )
        plant.write_text(f"credentials_dir: {tmp_path}/logins\nfurnaces:\n{furnaces}")
        with video_producer(kafka.address, topics.prefix, plant) as producer:
            until(
                lambda: (
                    "site/area/F-wrong: waiting" in producer.page("/readyz")
                    and 'outcome="used"} 3.0' in producer.page("/metrics")
                ),
                lambda: producer.log.read_text() + producer.page("/readyz"),
            )
            pages = producer.page("/readyz") + producer.page("/healthz") + producer.page("/metrics")
            lines = producer.command_lines()
            producer.process.send_signal(signal.SIGTERM)
            assert producer.process.wait(60) == 0, producer.log.read_text()

    chunks = chunks_of(kafka.address, topic)
    assert len(chunks) >= 3, pages + producer.log.read_text()
    assert {chunk.identity.furnace_id for chunk in chunks} == {"site/area/F-right"}
    assert [chunk.identity.seq for chunk in chunks] == list(range(len(chunks)))
    grid = PUBLISHED_SPEC.frame_instants("site/area/F-right")
    for chunk in chunks:
        (picture,) = default_encoder().decode(chunk.data)
        error_ns = chunk.last_event_ns - drawn_ns(picture, time.time_ns())
        assert -250 * NS_PER_MS < error_ns < 60 * NS_PER_MS
        assert chunk.identity.sync is not None
        assert abs(error_ns) <= chunk.identity.sync.max_error_ns
    slots = [grid.first_after(chunk.last_event_ns - 1) for chunk in chunks]
    assert slots == sorted(set(slots))
    said = producer.log.read_text()
    assert "source_running" in said
    assert "refused the login" in said
    assert [secret for secret in SECRETS if secret in said + pages + lines] == []


def test_a_plant_file_without_a_camera_is_one_line_and_exit_code_2(
    kafka: KafkaServer, topics: Topics, tmp_path: Path
) -> None:
    plant = tmp_path / "plant.yaml"
    plant.write_text(
        "furnaces:\n  - id: a/b/c\n    name: one\n"
        "    current: {source_id: m, address: 'opc.tcp://h', nodes: [a, b, c]}\n"
    )
    with video_producer(kafka.address, topics.prefix, plant) as producer:
        assert producer.process.wait(60) == 2

    assert "expected a furnace with 'video:'" in producer.log.read_text()
