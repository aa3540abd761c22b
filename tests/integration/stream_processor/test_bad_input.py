"""Each kind of bad input, once, on a real broker: set aside as it came while work goes on."""

import secrets
from collections.abc import Iterator

import pytest
from kafka.consumer.fetcher import ConsumerRecord
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_local_cluster.servers import KafkaServer, TritonServer
from meltwatch_schemas.topics import Topic

from tests.integration.stream_processor.worker import Tail, Worker, scores_of, send
from tests.support.bad_records import BAD_KINDS, BadKind
from tests.support.foreign_batches import batch_of, send_all
from tests.support.input_records import ORIGIN_NS, STRIDE_NS, frame_record, live, sample_record
from tests.support.kept_topics import kept_catalogue

pytestmark = pytest.mark.integration

PARTITIONS = 2


class Plant:
    """A running worker with the topics that it reads and writes."""

    def __init__(self, address: str, prefix: str, letters: Tail, scores: Tail) -> None:
        self.address = address
        self.prefix = prefix
        self.letters = letters
        self.scores = scores


@pytest.fixture(scope="module")
def plant(
    kafka: KafkaServer, triton: TritonServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plant]:
    prefix = f"t{secrets.token_hex(4)}"
    specs = kept_catalogue(prefix, PARTITIONS)
    create_topics({"bootstrap_servers": [kafka.address]}, specs)
    folder = tmp_path_factory.mktemp("worker")
    letters = Tail(kafka.address, Topic.DEAD_LETTERS.under(prefix), 1)
    scores = Tail(kafka.address, Topic.SCORES.under(prefix), PARTITIONS)
    with (
        Worker(folder, kafka=kafka.address, triton=triton.address, topic_prefix=prefix) as worker,
        letters,
        scores,
    ):
        worker.until_ready()
        yield Plant(kafka.address, prefix, letters, scores)


def headers_of(record: ConsumerRecord) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


@pytest.mark.parametrize("kind", BAD_KINDS, ids=lambda kind: kind.name)
def test_a_bad_record_is_set_aside_as_it_came_and_healthy_windows_go_on(
    plant: Plant, kind: BadKind
) -> None:
    furnace_id = f"bad/{kind.name.replace(' ', '-')}"
    bad = kind.make(furnace_id, ORIGIN_NS + 2 * STRIDE_NS)
    first = [frame_record(furnace_id, ORIGIN_NS), sample_record(furnace_id, ORIGIN_NS)]
    send(plant.address, plant.prefix, [*first, bad, *live([furnace_id], 12.0)[8:]])

    def found(records: list[ConsumerRecord]) -> list[ConsumerRecord]:
        return [r for r in records if r.key == bad.key and r.value == (bad.value or r.value)]

    (letter,) = found(plant.letters.until(lambda records: bool(found(records))))
    headers = headers_of(letter)
    assert headers["dlq.error"] == kind.reason.value
    assert headers["dlq.topic"] == bad.topic.under(plant.prefix)
    assert headers["dlq.service"] == "stream_processor"
    assert headers["dlq.timestamp"] == str(bad.timestamp_ms)
    assert int(headers["dlq.offset"]) >= 0
    assert headers["dlq.detail"]
    assert letter.headers[: len(bad.headers)] == list(bad.headers)

    def scored(records: list[ConsumerRecord]) -> bool:
        mine = [s for s in scores_of(records) if s.furnace_id == furnace_id]
        return any(score.logit is not None for score in mine)

    plant.scores.until(scored)


def test_header_names_in_any_bytes_end_nothing(plant: Plant) -> None:
    names = [Topic.EMBEDDINGS.under(plant.prefix), Topic.CURRENTS.under(plant.prefix)]
    send_all(plant.address, names, [batch_of([b"a", b"\xff\xfe", b"b"])])
    send(plant.address, plant.prefix, live(["named/one"], 12.0))

    def found(records: list[ConsumerRecord]) -> list[ConsumerRecord]:
        return [record for record in records if record.value == b"v" * 100]

    letters = found(plant.letters.until(lambda records: len(found(records)) >= 6))
    assert {headers_of(letter)["dlq.topic"] for letter in letters} == set(names)
    assert sorted(letter.headers[0][0] for letter in letters) == [r"\xff\xfe"] * 2 + [
        "a",
        "a",
        "b",
        "b",
    ]

    def scored(records: list[ConsumerRecord]) -> bool:
        return any(score.furnace_id == "named/one" for score in scores_of(records))

    plant.scores.until(scored)
