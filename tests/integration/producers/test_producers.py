"""Both producers as processes against a real broker."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.record import RawRecord, read_current, read_embedding
from meltwatch_schemas.topics import Topic, catalogue, timestamp_ms
from meltwatch_simulator import furnace_ids

from tests.support import fmf_files
from tests.support.murmur2 import partition_of
from tests.support.producer_process import ProducerProcess
from tests.support.records import records_of
from tests.support.servers import Topics
from tests.support.waiting import LIMIT_S, until
from tests.support.whole_currents import assert_whole

pytestmark = pytest.mark.integration

Chunk = EmbeddingChunk | CurrentChunk
SENDS = {"video_producer": Topic.EMBEDDINGS, "current_producer": Topic.CURRENTS}
REACH_NS = {"video_producer": 7_200_000_000, "current_producer": 120_000_000_000}
FURNACES = 2


@contextmanager
def producing(
    service: str, kafka: str, prefix: str, folder: Path, **told: str
) -> Iterator[ProducerProcess]:
    told = {"MELTWATCH_SIMULATOR_FURNACES": str(FURNACES), **told}
    producer = ProducerProcess(service, kafka, prefix, folder / f"{service}.log", **told)
    try:
        yield producer
    finally:
        producer.kill()


def read(record: RawRecord) -> Chunk:
    return read_embedding(record) if ".embeddings." in record.topic else read_current(record)


def chunks_by_furnace(records: list[RawRecord]) -> dict[str, list[Chunk]]:
    found: dict[str, list[Chunk]] = {name: [] for name in furnace_ids(FURNACES)}
    for chunk in map(read, records):
        found[chunk.identity.furnace_id].append(chunk)
    return found


@pytest.mark.parametrize("service", SENDS)
def test_a_producer_sends_the_past_and_goes_on_live_and_loses_nothing_on_leaving(
    service: str, kafka: KafkaServer, topics: Topics, tmp_path: Path
) -> None:
    topic = topics.name(SENDS[service])
    with producing(service, kafka.address, topics.prefix, tmp_path) as producer:
        producer.wait_until("ok\n")
        ready_ns = time.time_ns()

        def is_live() -> bool:
            found = chunks_by_furnace(records_of(kafka.address, topic)).values()
            return all(chunks and chunks[-1].last_event_ns > ready_ns for chunks in found)

        until(is_live, producer.log.read_text, every_s=0.5)
        assert producer.stop() == 0

    records = records_of(kafka.address, topic)
    for furnace, chunks in chunks_by_furnace(records).items():
        first, last = chunks[0], chunks[-1]
        assert first.identity.seq == 0
        assert all(a.identity.seq + len(a.data) == b.identity.seq for a, b in pairwise(chunks))
        assert len({chunk.identity.boot_id for chunk in chunks}) == 1
        assert ready_ns - first.last_event_ns > REACH_NS[service]
        assert last.last_event_ns > ready_ns
        assert last.identity.furnace_id == furnace
    for record in records:
        assert record.timestamp_ms == timestamp_ms(read(record).last_event_ns)
        assert record.partition == partition_of(record.key or b"", topics.partitions)
    assert producer.events() == ["service_started", "publication_started", "service_stopped"]


@pytest.mark.parametrize("service", SENDS)
def test_a_recording_streams_as_any_other_furnace(
    service: str, kafka: KafkaServer, topics: Topics, tmp_path: Path
) -> None:
    topic = topics.name(SENDS[service])
    data = fmf_files.write_second_layout(tmp_path / "data", "batch-1", frames=1500)
    begin_ns = time.time_ns() // 1_000_000_000 * 1_000_000_000
    told = {
        "MELTWATCH_RECORDING_DIR": str(data),
        "MELTWATCH_SIMULATOR_ORIGIN_NS": str(begin_ns),
    }
    with producing(service, kafka.address, topics.prefix, tmp_path, **told) as producer:
        producer.wait_until("ok\n")
        until(lambda: records_of(kafka.address, topic), producer.log.read_text)
        assert producer.stop() == 0

    for chunk in map(read, records_of(kafka.address, topic)):
        assert chunk.identity.furnace_id == "fmf-benchmark/batch-1"
        assert is_of(chunk, chunk.last_event_ns - begin_ns)


def is_of(chunk: Chunk, recorded_ns: int) -> bool:
    """Tell whether a chunk's last frame or sample was the newest at a time of the recording."""
    if isinstance(chunk, CurrentChunk):
        return bool(chunk.data[-1, 0] - 6000 == recorded_ns // 500_000_000)
    (picture,) = default_encoder().decode(chunk.data)
    return bool((picture[..., 2] == recorded_ns // 40_000_000 % 256).all())


def test_files_that_are_no_recording_are_one_line_and_exit_code_2(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    told = {"MELTWATCH_RECORDING_DIR": str(tmp_path), "MELTWATCH_SIMULATOR_ORIGIN_NS": "1"}
    with producing("video_producer", kafka.address, "any", tmp_path, **told) as producer:
        assert producer.process.wait(LIMIT_S) == 2

    last = producer.log.read_text().splitlines()[-1]
    assert last.startswith(f"video_producer: MELTWATCH_RECORDING_DIR: {tmp_path}: expected videos/")


def test_a_missing_topic_is_one_line_and_exit_code_3(kafka: KafkaServer, tmp_path: Path) -> None:
    with producing("video_producer", kafka.address, "nowhere", tmp_path) as producer:
        assert producer.process.wait(LIMIT_S) == 3

    last = producer.log.read_text().splitlines()[-1]
    assert last.startswith("video_producer: Kafka at ")
    assert "expected the topic nowhere.embeddings.v1, it is missing" in last


def test_an_outage_of_the_broker_delays_records_and_loses_none(tmp_path: Path) -> None:
    with KafkaServer(tmp_path / "kafka") as broker:
        create_topics({"bootstrap_servers": [broker.address]}, catalogue("outage", 3))
        with producing("current_producer", broker.address, "outage", tmp_path) as producer:
            producer.wait_until("ok\n")
            broker.stop()
            producer.wait_until("have been waiting since")
            broker.start()
            broker.wait_ready()
            producer.wait_until("ok\n")
            assert producer.stop() == 0
        records = records_of(broker.address, "outage.currents.v1")

    for chunks in chunks_by_furnace(records).values():
        assert_whole(chunks)
    assert producer.events()[2:4] == ["dependency_lost", "dependency_recovered"]
