"""Meters behind a broker: JSON and Sparkplug B, and a broker that goes away and comes back."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
import yaml
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.current import CurrentChunk

from tests.integration.source_producer.bench import currents_of, producing
from tests.support.mosquitto import Mosquitto, password_file, require_mosquitto
from tests.support.mqtt_program import require_programs
from tests.support.mqtt_publisher import Publisher
from tests.support.servers import Topics
from tests.support.waiting import until
from tests.support.whole_currents import assert_whole

pytestmark = [pytest.mark.integration]
PASSWORD = "p@s:/?#%é"  # noqa: S105 - of a server that lives for a test
OF_JSON, OF_SPARKPLUG = "plant/area/F-1", "plant/area/F-2"
AMPERES = (6001.0, 6002.0, 6003.0)
NAMES = ("Ia", "Ib", "Ic")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    require_mosquitto()
    require_programs()
    (tmp_path / "broker").mkdir()
    passwords = password_file(tmp_path / "broker", meltwatch=PASSWORD)
    # Publishers come without a login, as far as this broker is concerned.
    lines = ("allow_anonymous true", f"password_file {passwords}")
    with Mosquitto(tmp_path / "broker", *lines) as started:
        yield started


def write_plant_file(folder: Path, broker: Mosquitto) -> None:
    login = folder / "logins/broker"
    login.mkdir(parents=True)
    (login / "username").write_text("meltwatch")
    (login / "password").write_text(f"{PASSWORD}\n")
    common = {"address": f"mqtt://{broker.address}", "credentials": "broker"}
    messages = {"topics": ["plant/f1"], "values": ["/ia", "/ib", "/ic"], "time": "/ts"}
    sparkplug = {"group": "plant", "edge": "gw", "metrics": list(NAMES)}
    plant = {
        "credentials_dir": str(folder / "logins"),
        "furnaces": [
            {"id": OF_JSON, "name": "1", "current": common | {
                "source_id": "gw-1", "messages": messages}},
            {"id": OF_SPARKPLUG, "name": "2", "current": common | {
                "source_id": "gw-2", "sparkplug": sparkplug, "phases": ["a", "c", "b"]}},
        ],
    }  # fmt: skip
    (folder / "plant.yaml").write_text(yaml.safe_dump(plant))


def publish(publisher: Publisher, stop: Event) -> None:
    """Tell both furnaces' currents four times a second; births are for who asks."""
    metrics = [{"name": name, "type": "Float", "value": value}
               for name, value in zip(NAMES, AMPERES, strict=True)]  # fmt: skip
    while not stop.wait(0.25):
        publisher.currents("plant/f1", *AMPERES)
        publisher.metrics("spBv1.0/plant/NDATA/gw", *metrics)


@pytest.fixture
def publishing(broker: Mosquitto) -> Iterator[None]:
    stop = Event()
    with Publisher(f"mqtt://{broker.address}") as publisher:
        thread = Thread(target=publish, args=(publisher, stop))
        thread.start()
        yield
        stop.set()
        thread.join()


def test_samples_go_on_as_nan_while_the_broker_is_away(
    kafka: KafkaServer, topics: Topics, tmp_path: Path, broker: Mosquitto, publishing: None
) -> None:
    write_plant_file(tmp_path, broker)

    def chunks_of(furnace_id: str) -> list[CurrentChunk]:
        found = currents_of(kafka.address, topics.prefix)
        return [chunk for chunk in found if chunk.identity.furnace_id == furnace_id]

    def wait_for(is_whole: bool) -> None:
        def has_come() -> bool:
            newest = [chunks_of(furnace)[-1:] for furnace in (OF_JSON, OF_SPARKPLUG)]
            return all(
                chunks and bool((np.isfinite(chunks[0].data) == is_whole).all())
                for chunks in newest
            )

        until(has_come, producer.log.read_text, every_s=0.5)

    with producing(kafka.address, topics.prefix, tmp_path) as producer:
        producer.wait_ready()
        wait_for(is_whole=True)
        broker.kill()
        wait_for(is_whole=False)
        until(lambda: producer.asked("/readyz").count(": waiting for") == 2, "two warnings")
        broker.start()
        wait_for(is_whole=True)
        everything = producer.asked("/metrics") + producer.asked("/readyz")
        assert producer.stop() == 0

    for furnace, amperes in ((OF_JSON, AMPERES), (OF_SPARKPLUG, (6001.0, 6003.0, 6002.0))):
        chunks = chunks_of(furnace)
        assert_whole(chunks)
        samples = np.concatenate([chunk.data for chunk in chunks])
        values = samples[np.isfinite(samples).all(axis=1)]
        assert (values == amperes).all(), "nothing is made up"
    everything += producer.log.read_text()
    assert PASSWORD not in everything
    assert "p%40s" not in everything
