"""What the console gives of a furnace is what Kafka holds, and what the simulator drew."""

from urllib.request import urlopen

import numpy as np
import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from meltwatch_chassis.clock import SystemClock
from meltwatch_schemas.embedding import SCHEMA, encode_embedding
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.topics import Topic, timestamp_ms
from meltwatch_schemas.window import NS_PER_MS

from tests.integration.console.furnace_forge import FURNACE, told, wait_for_scores
from tests.support.builders import embedding_chunk
from tests.support.png import pixels_of
from tests.support.waiting import until

pytestmark = pytest.mark.integration


def picture(console, address: str):
    with urlopen(f"{console.url}api/v1/furnaces/{FURNACE}/{address}") as answer:  # noqa: S310 - of ours
        return pixels_of(answer.read())


def answer_of(console, address: str):
    return console.ask(f"api/v1/furnaces/{FURNACE}/{address}")


def film_at(console, end_ns: int) -> list[dict]:
    status, said = answer_of(console, f"frames?at={end_ns // NS_PER_MS}")
    assert status == 200, said
    return said["frames"]


def address_of(frame: dict) -> str:
    return f"frames/{frame['partition']}-{frame['offset']}.png?event_ns={frame['event_ns']}"


def test_the_frames_of_a_window_are_its_own_to_the_pixel(make_console, furnace):
    console = make_console([FURNACE])
    wait_for_scores(console, furnace)
    loud = furnace.loud()

    film = film_at(console, loud.window_end_ns)

    assert len(film) == 10
    assert int(film[-1]["event_ns"]) == loud.frames[-1].event_ns
    for frame in film:
        expected = furnace.pixels(int(frame["event_ns"]))
        np.testing.assert_array_equal(picture(console, address_of(frame)), expected)
    newest = film_at(console, furnace.scores[-1].window_end_ns)[-1]
    assert newest["offset"] > film[-1]["offset"]


def test_the_map_and_its_outline_are_those_of_the_window(make_console, furnace):
    console = make_console([FURNACE])
    wait_for_scores(console, furnace)
    loud = furnace.loud()
    where = f"maps/{loud.window_end_ns // NS_PER_MS}"

    np.testing.assert_array_equal(picture(console, f"{where}.png"), loud.anomaly_map)
    status, spot = answer_of(console, where)
    assert status == 200
    marked = np.zeros((64, 64), bool)
    marked[tuple(np.array(spot["cells"]).T)] = True
    np.testing.assert_array_equal(marked, loud.anomaly_map >= 127.5)
    assert spot["text"].startswith(f"spot {spot['place']}, ")
    quiet = furnace.scores[0].window_end_ns // NS_PER_MS
    assert answer_of(console, f"maps/{quiet}")[0] == 404


def test_currents_are_those_of_the_meter_on_half_seconds(make_console, furnace):
    console = make_console([FURNACE])
    wait_for_scores(console, furnace)
    since_ms = furnace.scores[10].window_end_ns // NS_PER_MS // 1_000 * 1_000

    status, said = answer_of(console, f"currents?since={since_ms}&until={since_ms + 5_000}")

    assert status == 200
    assert (said["start_ms"], said["step_ms"]) == (since_ms, 500)
    assert [len(said["phases"][name]) for name in "abc"] == [10, 10, 10]
    assert all(value is not None for phase in said["phases"].values() for value in phase)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("frames/0-99999999.png", 404),
        ("frames/99-0.png", 404),
        ("frames/-1-0.png", 422),
        ("frames?at=-1", 422),
        ("currents?since=5&until=5", 422),
        ("currents?since=0&until=9000000000000000", 422),
        ("maps/0", 404),
        ("scores?step=-1", 422),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(make_console, furnace, address, status):
    console = make_console([FURNACE])
    wait_for_scores(console, furnace)

    found, said = answer_of(console, address)

    assert found == status
    assert said["error"]["message"]


def test_a_frame_of_another_furnace_or_encoder_is_no_picture(make_console, furnace, kafka, topics):
    console = make_console([FURNACE])
    wait_for_scores(console, furnace)
    now_ns = SystemClock().now_ns()
    with KafkaProducer(bootstrap_servers=kafka.address) as producer:
        offsets = []
        for furnace_id, encoder in (
            ("demo/smelting-1/FMF-02", ""),
            (FURNACE, "pca-192-000000000000"),
        ):
            chunk = embedding_chunk([now_ns], furnace_id=furnace_id, encoder_id=encoder)
            sent = producer.send(
                topics.name(Topic.EMBEDDINGS), key=furnace_id.encode(),
                value=encode_embedding(chunk), partition=furnace.partition,
                headers=list(headers_for(SCHEMA)), timestamp_ms=timestamp_ms(now_ns),
            )  # fmt: skip
            offsets.append(sent.get(30).offset)

    foreign, unknown = (
        answer_of(console, f"frames/{furnace.partition}-{offset}.png") for offset in offsets
    )

    assert foreign[0] == 404
    assert unknown[0] == 404
    assert "unknown encoder" in unknown[1]["error"]["message"]


def test_a_frame_costs_its_own_bytes_and_no_neighbours(make_console, furnace):
    console = make_console([FURNACE])
    wait_for_scores(console, furnace)
    film = film_at(console, furnace.loud().window_end_ns)
    before = bytes_read(console)

    for frame in film:
        picture(console, address_of(frame))
        picture(console, address_of(frame))

    assert 10 * 24_576 <= bytes_read(console) - before <= 10 * 2 * 24_800


def bytes_read(console) -> float:
    """How much of the topic of embeddings was read."""
    served = console.log_lines("health_served")[-1]["address"]
    with urlopen(f"http://{served}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    name = 'meltwatch_console_read_bytes_total{topic="embeddings"} '
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def test_evidence_outlives_the_frames_and_says_what_was_never_kept(
    make_console, furnace, forge, kafka, topics, tmp_path
):
    folder = tmp_path / "evidence"
    console = make_console([FURNACE], console_evidence_dir=str(folder))
    console.wait_live()
    wait_for_scores(console, furnace)
    loud = furnace.loud()
    kept = "0c3f0d1e-5c6e-5a51-9b8e-2f2d6a8f0001"
    record = forge.raised(f"{FURNACE}/OVERHEAT", occurrence_id=kept, **told(loud))
    address = f"api/v1/occurrences/{kept}/evidence"
    until(lambda: console.ask(address)[0] == 200, lambda: console.ask(address))
    evidence = console.ask(address)[1]

    console.__exit__()
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        frames = TopicPartition(topics.name(Topic.EMBEDDINGS), furnace.partition)
        admin.delete_records({frames: -1})
    again = make_console([FURNACE], console_evidence_dir=str(folder))
    again.wait_live()

    assert again.ask(address) == (200, evidence)
    assert evidence["alarm_id"] == record.alarm_id
    assert evidence["missing"] == []
    assert len(evidence["scores"]["rows"]) >= 10
    assert evidence["spot"]["cells"]
    assert len(evidence["currents"]["phases"]["a"]) == 240
    for frame in evidence["frames"]:
        with urlopen(f"{again.url}{address}/{frame['name']}") as answer:  # noqa: S310 - of ours
            pixels = pixels_of(answer.read())
    np.testing.assert_array_equal(pixels, furnace.pixels(loud.frames[-1].event_ns))
    never = again.ask("api/v1/occurrences/0c3f0d1e-5c6e-5a51-9b8e-2f2d6a8f0002/evidence")
    assert never[0] == 404
    assert "nothing was kept" in never[1]["error"]["message"]
