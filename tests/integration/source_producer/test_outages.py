"""The producer of a plant's own sources against real meters and a broker that goes and comes."""

import re
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.topics import catalogue

from tests.integration.source_producer.bench import currents_of, producing
from tests.support.meter_process import MeterProcess
from tests.support.modbus_meter import FIRST, UNIT
from tests.support.promise import Promise
from tests.support.waiting import until
from tests.support.whole_currents import assert_whole

pytestmark = [pytest.mark.integration]
FURNACE = "plant/hall/F1"


@pytest.fixture
def meter() -> Iterator[MeterProcess]:
    with MeterProcess("modbus_meter", "socket") as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path, meter: MeterProcess) -> Path:
    """One with a plant file that names the meter."""
    current = {
        "source_id": "meter-1",
        "address": f"modbus+tcp://127.0.0.1:{meter.port}?unit={UNIT}",
        "registers": {"first": FIRST},
    }
    plant = {"furnaces": [{"id": FURNACE, "name": "F1", "current": current}]}
    (tmp_path / "plant.yaml").write_text(yaml.safe_dump(plant))
    return tmp_path


def samples(chunks: Sequence[CurrentChunk]) -> np.ndarray:
    return np.concatenate([np.empty((0, 3)), *(chunk.data for chunk in chunks)])


def test_a_meter_that_is_killed_leaves_samples_without_value_and_comes_back(
    kafka: KafkaServer, topics, folder: Path, meter: MeterProcess
):
    def newest() -> np.ndarray:
        return samples(currents_of(kafka.address, topics.prefix))[-4:]

    with producing(kafka.address, topics.prefix, folder) as producer:
        producer.wait_ready()
        until(lambda: np.isfinite(newest()).any(), "amperes")
        meter.kill()
        until(lambda: newest().size == 12 and np.isnan(newest()).all(), "samples of NaN")
        until(lambda: "current of plant/hall/F1" in producer.asked("/readyz"), "a warning")
        meter.start()
        until(lambda: np.isfinite(newest()).any(), "amperes")
        assert producer.stop() == 0
    chunks = currents_of(kafka.address, topics.prefix)
    assert_whole(chunks)
    assert all(chunk.identity.sync is not None for chunk in chunks)
    values = samples(chunks)
    assert (np.isnan(values) | (values > 5000)).all(), "nothing is made up"


def test_killed_in_an_outage_of_kafka_it_loses_nothing_and_keeps_the_order(folder: Path):
    with KafkaServer(folder / "kafka") as broker:
        create_topics({"bootstrap_servers": [broker.address]}, catalogue("spool", 3))
        with producing(broker.address, "spool", folder) as first:
            first.wait_ready()
            broker.stop()
            until(lambda: first.waits_for(5), "five seconds of records")
            first.process.kill()
        with producing(broker.address, "spool", folder) as second:
            until(lambda: second.waits_for(8), "the records of both")
            assert "Kafka: " in second.asked("/readyz")
            broker.start()
            broker.wait_ready()
            second.wait_ready()
            until(lambda: not second.waits_for(3), "the spool to be empty")
            assert second.stop() == 0
        chunks = currents_of(broker.address, "spool")
    assert_nothing_lost(chunks, boots=2)


def test_told_to_stop_it_waits_for_no_broker_that_does_not_answer_and_loses_nothing(folder: Path):
    with KafkaServer(folder / "kafka") as broker:
        create_topics({"bootstrap_servers": [broker.address]}, catalogue("spool", 3))
        with producing(broker.address, "spool", folder) as first:
            first.wait_ready()
            broker.freeze()
            until(lambda: first.waits_for(3), "three seconds of records")
            promise = Promise(12.0)
            first.process.send_signal(signal.SIGTERM)
            promise.until(lambda: first.process.poll() is not None, lambda: "it to end")
            assert first.stop() == 0
        broker.thaw()
        with producing(broker.address, "spool", folder) as second:
            # The oldest goes first: when its own records come, nothing of the first one waits.
            until(lambda: len(boots_of(currents_of(broker.address, "spool"))) == 2, "its records")
            assert second.stop() == 0
        chunks = currents_of(broker.address, "spool")
    assert_nothing_lost(chunks, boots=2)


def boots_of(chunks: Sequence[CurrentChunk]) -> list[str]:
    """Return the processes that have sent, in the order of their first records."""
    return list(dict.fromkeys(chunk.identity.boot_id for chunk in chunks))


def assert_nothing_lost(chunks: Sequence[CurrentChunk], boots: int) -> None:
    """Each process' records stand, in order; what was under way when it ended perhaps twice."""
    found = boots_of(chunks)
    assert len(found) == boots
    for boot in found:
        once = {chunk.identity.seq: chunk for chunk in chunks if chunk.identity.boot_id == boot}
        assert_whole([once[number] for number in sorted(once)])
    first_seen = list(dict.fromkeys(chunk.event_time_ns for chunk in chunks))
    assert first_seen == sorted(first_seen)


def test_a_second_process_on_the_same_spool_ends_with_one_line(
    kafka: KafkaServer, topics, folder: Path
):
    with producing(kafka.address, topics.prefix, folder) as first:
        first.wait_ready()
        with producing(kafka.address, topics.prefix, folder) as second:
            assert second.process.wait(60) == 2
    last = second.log.read_text().splitlines()[-1]
    assert re.match(r"source_producer: spool \S+: expected a file .* nobody else has open", last)
