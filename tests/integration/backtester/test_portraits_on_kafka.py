"""``meltwatch portrait`` against a broker: four hours are read, a portrait stands, and goes."""

import json
import secrets
from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.portrait import SCHEMA, decode_portrait, portrait_id
from meltwatch_schemas.topics import Topic

from tests.support.input_records import ORIGIN_NS, InputRecord
from tests.support.kept_topics import kept_catalogue
from tests.support.murmur2 import partition_of
from tests.support.portrait_history import FURNACE, HOUR_NS, lived
from tests.support.records import records_of
from tests.support.servers import TEST_PARTITIONS, Topics

pytestmark = pytest.mark.integration

HOURS = 4.1
SPAN = (
    "--from", rfc3339(utc_from_ns(ORIGIN_NS)),
    "--to", rfc3339(utc_from_ns(ORIGIN_NS + round(HOURS * HOUR_NS))),
)  # fmt: skip


@pytest.fixture(scope="module")
def shared(kafka) -> Iterator[Topics]:
    """Four hours of one furnace, which nothing deletes."""
    made = Topics(f"t{secrets.token_hex(4)}", TEST_PARTITIONS)
    kept = kept_catalogue(made.prefix, made.partitions)
    create_topics({"bootstrap_servers": [kafka.address]}, kept)
    partition = partition_of(FURNACE.encode(), made.partitions)
    hours = lived(HOURS, prefix=made.prefix, partition=partition)
    with closing(KafkaProducer(bootstrap_servers=kafka.address, linger_ms=20)) as producer:
        for log in (*hours.inputs.values(), hours.score_records()):
            for record in log:
                _send(producer, made.prefix, record)
        producer.flush()
    yield made
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        admin.delete_topics([spec.name for spec in kept])


def _send(producer: KafkaProducer, prefix: str, record: InputRecord) -> None:
    producer.send(
        record.topic.under(prefix),
        key=record.key,
        value=record.value,
        headers=list(record.headers),
        timestamp_ms=record.timestamp_ms,
    )


@pytest.fixture
def addressed(kafka, shared: Topics, monkeypatch: pytest.MonkeyPatch) -> Topics:
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", shared.prefix)
    return shared


def told_of_furnace(kafka, name: str) -> list:
    """What stands of our furnace: another test has a stranger write beside it."""
    return [each for each in records_of(kafka.address, name) if each.key == FURNACE.encode()]


def test_four_hours_make_a_portrait_that_is_published_shown_and_retired(
    kafka, addressed: Topics, command, tmp_path
) -> None:
    fit = ("portrait", "fit", "--furnace", FURNACE, *SPAN)
    code, out, err = command(*fit, "--publish", "--user", "li", "--why", "commissioned", "--json")
    assert code == 0, err
    told, name = json.loads(out), addressed.name(Topic.PORTRAITS)
    (record,) = told_of_furnace(kafka, name)
    made = decode_portrait(record.value)
    assert (record.key, made.furnace_id) == (FURNACE.encode(), FURNACE)
    assert told["portrait"] == portrait_id(record.value)
    assert told["windows"] == made.windows >= 1428
    assert dict(record.headers)["schema"] == SCHEMA.encode()
    assert dict(record.headers)["change.by"] == b"li"
    assert told["no_thresholds"] is None

    code, out, _ = command("portrait", "list")
    assert (code, out.splitlines()[1].split()[0]) == (0, told["portrait"][:16])
    picture = tmp_path / "portrait.svg"
    code, out, _ = command("portrait", "show", "--furnace", FURNACE, "--picture", str(picture))
    assert code == 0
    assert ", by li: commissioned" in out
    assert picture.read_text().startswith("<svg ")

    saved = str(tmp_path / "saved")
    assert command("record", *SPAN, "--output", saved)[0] == 0
    file = tmp_path / "again.portrait"
    code, out, err = command(*fit, "--recording", saved, "--out", str(file), "--json")
    assert code == 0, err
    again = json.loads(out)
    assert (again["windows"], again["left_out"]) == (told["windows"], told["left_out"])
    ours, live = decode_portrait(file.read_bytes()), made
    assert all(
        (ours.sides[m].modes[0].factor == side.modes[0].factor).all()
        for m, side in live.sides.items()
    ), "the same history gives the same portrait"

    retired = command("portrait", "retire", "--furnace", FURNACE, "--why", "moved", "--user", "li")
    assert retired[0] == 0
    assert command("portrait", "show", "--furnace", FURNACE)[0] == 1
    last = told_of_furnace(kafka, name)[-1]
    assert (last.key, last.value) == (FURNACE.encode(), None)
    assert dict(last.headers) == {"change.by": b"li", "change.why": b"moved"}


def test_what_a_stranger_puts_on_the_topic_is_no_portrait(
    kafka, addressed: Topics, command
) -> None:
    with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
        producer.send(addressed.name(Topic.PORTRAITS), key=b"a/b", value=b"\xc1").get(20)
    assert command("portrait", "show", "--furnace", "a/b")[0] == 1
