import threading
import time

import pytest
from kafka import KafkaProducer
from meltwatch_local_cluster.launch.drain import wait_until_quiet
from meltwatch_schemas.topics import Topic

from tests.support.waiting import LIMIT_S

pytestmark = pytest.mark.integration


def test_topics_without_new_records_are_quiet_after_two_seconds(kafka, topics):
    start_s = time.monotonic()
    connection = {"bootstrap_servers": [kafka.address]}
    assert wait_until_quiet(connection, [topics.name(Topic.SCORES)], limit_s=LIMIT_S)
    assert 2 <= time.monotonic() - start_s < LIMIT_S


def test_a_topic_that_goes_on_growing_ends_the_wait_at_its_limit(kafka, topics):
    over = threading.Event()
    producer = KafkaProducer(bootstrap_servers=kafka.address)

    def write() -> None:
        while not over.wait(0.1):
            producer.send(topics.name(Topic.SCORES), b"score")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        connection = {"bootstrap_servers": [kafka.address]}
        assert not wait_until_quiet(connection, [topics.name(Topic.SCORES)], limit_s=4)
    finally:
        over.set()
        writer.join()
        producer.close()


def test_a_broker_that_is_down_does_not_hold_the_stop_up():
    connection = {"bootstrap_servers": ["127.0.0.1:1"]}
    start_s = time.monotonic()
    assert not wait_until_quiet(connection, ["any"], limit_s=2)
    assert time.monotonic() - start_s < 30, "its client alone would try for as long as it is told"
