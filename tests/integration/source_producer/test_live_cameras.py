"""The cameras of a plant file: a real one's frames in Kafka, and its login nowhere."""

import time
from pathlib import Path
from urllib.parse import quote

import pytest
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.embedding import EmbeddingChunk, decode_embedding
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, PUBLISHED_SPEC

from tests.integration.source_producer.bench import producing
from tests.support.cameras import PASSWORD, USER, drawn_ns, gst_camera
from tests.support.records import records_of
from tests.support.servers import Topics
from tests.support.waiting import until

pytestmark = [pytest.mark.integration]
SECRETS = {
    PASSWORD,
    quote(PASSWORD, safe=""),
    quote(PASSWORD),
    repr(PASSWORD)[1:-1],
    "p%40s",
    "p@s:",
}


def command_lines(pid: int) -> str:
    """Give what ps shows of a process, and what its environment is."""
    place = Path(f"/proc/{pid}")
    return "".join((place / name).read_text() for name in ("cmdline", "environ", "comm"))


def chunks_of(kafka: str, topic: str) -> list[EmbeddingChunk]:
    return [decode_embedding(record.value or b"") for record in records_of(kafka, topic)]


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
        with producing(kafka.address, topics.prefix, tmp_path) as producer:
            until(
                lambda: (
                    "site/area/F-wrong: waiting" in producer.asked("/readyz")
                    and 'outcome="used"} 3.0' in producer.asked("/metrics")
                ),
                lambda: producer.log.read_text() + producer.asked("/readyz"),
            )
            pages = (
                producer.asked("/readyz") + producer.asked("/healthz") + producer.asked("/metrics")
            )
            lines = command_lines(producer.process.pid)
            assert producer.stop() == 0, producer.log.read_text()

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
