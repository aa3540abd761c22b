import socket
import uuid

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.topics import Topic

from tests.support.waiting import LIMIT_S

pytestmark = pytest.mark.integration
KIBIBYTE = 1024


def send(address: str, topic: str, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=address, max_request_size=16 * KIBIBYTE**2)
    try:
        producer.send(topic, value).get(timeout=LIMIT_S)
    finally:
        producer.close()


def first_value(address: str, topic: str) -> bytes:
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=address,
        auto_offset_reset="earliest",
        consumer_timeout_ms=int(LIMIT_S * 1000),
    )
    try:
        return bytes(next(consumer).value)
    finally:
        consumer.close()


def test_a_broker_keeps_address_and_records_over_a_stop_and_over_a_power_cut(tmp_path):
    with KafkaServer(tmp_path / "kafka") as own:
        address = own.address
        with KafkaAdminClient(bootstrap_servers=address) as admin:
            admin.create_topics({"kept": {"num_partitions": 1, "replication_factor": 1}})
        send(address, "kept", b"melt")
        for end in (own.stop, own.kill):
            end()
            assert not own.is_running()
            own.start()
            own.wait_ready()
            assert own.address == address
            assert first_value(address, "kept") == b"melt"


def test_every_cluster_id_is_taken_by_the_formatting_tool_and_the_port_is_free_at_the_end(
    tmp_path, monkeypatch
):
    """An id that begins with a dash once read like an option."""
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=62 << 122))
    with KafkaServer(tmp_path / "kafka") as own:
        assert "cluster.id=-" in (own.folder / "data" / "meta.properties").read_text()

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", own.port))


def test_the_dead_letter_topic_takes_the_largest_letter(kafka, topics):
    letter = b"x" * (8 * KIBIBYTE**2 - KIBIBYTE)
    send(kafka.address, topics.name(Topic.DEAD_LETTERS), letter)
    assert len(first_value(kafka.address, topics.name(Topic.DEAD_LETTERS))) == len(letter)


def test_a_misspelt_topic_is_not_created_by_its_use(kafka, topics):
    producer = KafkaProducer(bootstrap_servers=kafka.address, max_block_ms=2_000)
    with pytest.raises(KafkaError):
        producer.send(topics.prefix + ".scoers.v1", b"x").get(timeout=3)
    producer.close()
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        assert topics.prefix + ".scoers.v1" not in admin.list_topics()


def test_each_test_has_a_whole_catalogue_of_its_own(kafka, topics):
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        own = [name for name in admin.list_topics() if name.startswith(topics.prefix)]
    assert sorted(own) == sorted(topics.name(topic) for topic in Topic)
