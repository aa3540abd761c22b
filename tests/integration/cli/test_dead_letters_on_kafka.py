"""Dead letters listed, shown and sent again on a real broker."""

import json
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from meltwatch_schemas.dead_letter import REDRIVE_BY, REDRIVE_OF, dead_letter_headers
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic

from tests.support.bad_records import BAD_KINDS
from tests.support.input_records import ORIGIN_NS, frame_record, sample_record
from tests.support.waiting import until

pytestmark = pytest.mark.integration

FURNACE = "plant/FMF-03"


@pytest.fixture
def prefix(kafka, topics, monkeypatch) -> str:
    """The topics of a test, told to the command by environment."""
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", topics.prefix)
    return topics.prefix


@pytest.fixture
def set_aside(kafka, prefix) -> Callable[..., None]:
    """Writes dead letters as services do."""

    def write(records: Sequence[RawRecord], error: Refusal = Refusal.UNEXPECTED_SOURCE) -> None:
        refusal = ContractViolation(error, "expected the source camera, got second-camera")
        with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
            for record in records:
                producer.send(
                    Topic.DEAD_LETTERS.under(prefix),
                    key=record.key,
                    value=record.value,
                    headers=dead_letter_headers(record, "stream_processor", refusal),
                )

    return write


@pytest.fixture
def arrived(kafka, topics) -> Callable[[Topic], list[RawRecord]]:
    """Reads all that a topic holds."""

    def read(topic: Topic) -> list[RawRecord]:
        records: list[RawRecord] = []
        with closing(KafkaConsumer(bootstrap_servers=kafka.address)) as consumer:
            name = topics.name(topic)
            parts = [TopicPartition(name, n) for n in consumer.partitions_for_topic(name)]
            consumer.assign(parts)
            consumer.seek_to_beginning(*parts)
            ends = consumer.end_offsets(parts)
            while any(consumer.position(part) < end for part, end in ends.items()):
                for batch in consumer.poll(200).values():
                    records.extend(batch)
        return records

    return read


def samples(prefix: str, count: int, furnace: str = FURNACE) -> list[RawRecord]:
    return [
        sample_record(furnace, ORIGIN_NS + n * 10**9).at(n, prefix=prefix) for n in range(count)
    ]


def letters_of(records: Sequence[RawRecord]) -> list[str]:
    """Of which letters records are, by id."""
    return [dict(record.headers)[REDRIVE_OF].decode().rpartition("/")[2] for record in records]


def outcomes(out: str) -> Counter[str]:
    return Counter(verdict["outcome"] for verdict in json.loads(out))


def test_the_list_counts_filters_and_is_bounded(command, prefix, set_aside):
    set_aside(samples(prefix, 5))
    set_aside([frame_record("plant/FMF-04", ORIGIN_NS).at(9, prefix=prefix)], Refusal.NON_FINITE)

    code, out, _ = command("dead-letters", "list", "--limit", "2")
    assert code == 0
    assert out.startswith("6 dead letters (5 unexpected_source, 1 non_finite)\n")
    assert "4 more before these" in out

    code, out, _ = command("dead-letters", "list", "--json", "--error", "unexpected_source")
    listed = json.loads(out)
    assert [letter["id"] for letter in listed] == [0, 1, 2, 3, 4]
    assert listed[3]["topic"] == Topic.CURRENTS.under(prefix)
    assert (listed[3]["offset"], listed[3]["key"]) == (3, FURNACE)

    def ids(*options: str) -> list[int]:
        code, out, _ = command("dead-letters", "list", "--json", *options)
        assert code == 0
        return [letter["id"] for letter in json.loads(out)]

    assert ids("--topic", "embeddings") == ids("--furnace", "plant/FMF-04") == [5]
    assert ids("--from", "1h") == ids() == [0, 1, 2, 3, 4, 5]
    assert ids("--to", "1h") == []
    assert ids("--scan", "3") == [3, 4, 5]
    assert "of the newest 3" in command("dead-letters", "list", "--scan", "3")[1]


def test_a_letter_is_shown_whole_and_its_bytes_can_be_had(command, prefix, set_aside, tmp_path):
    record = frame_record(FURNACE, ORIGIN_NS).at(4711, prefix=prefix, partition=2)
    set_aside([record])
    path = tmp_path / "value.bin"

    code, out, _ = command("dead-letters", "show", "0", "--output", str(path))

    assert code == 0
    assert path.read_bytes() == record.value
    for expected in (
        "unexpected_source",
        "expected the source camera, got second-camera",
        f"{prefix}.embeddings.v1/2/4711",
        "schema = embedding/1.0",
        "today      it would be read",
    ):
        assert expected in out

    code, out, err = command("dead-letters", "show", "1")
    assert (code, out) == (2, "")
    assert "found no letter 1" in err
    assert command("dead-letters", "show", "0", "--output", str(tmp_path))[0] == 2


def test_a_letter_is_sent_back_as_it_was_with_a_claim(command, prefix, set_aside, arrived):
    records = samples(prefix, 3)
    set_aside(records)

    code, out, _ = command("dead-letters", "redrive", "0", "2", "--dry-run", "--json")
    assert (code, outcomes(out)) == (0, {"would send": 2})
    assert arrived(Topic.CURRENTS) == []

    code, out, _ = command("dead-letters", "redrive", "2", "0", "9", "--yes", "--user", "li")
    assert code == 1
    assert "2 sent, 1 missing" in out
    found = arrived(Topic.CURRENTS)
    assert [(r.key, r.value, r.timestamp) for r in found] == [
        (r.key, r.value, r.timestamp_ms) for r in (records[0], records[2])
    ]
    assert found[0].headers[:-3] == list(records[0].headers)
    assert dict(found[0].headers)[REDRIVE_BY] == b"li"
    assert letters_of(found) == ["0", "2"]

    # At least once: who sends a letter again has a second copy, which its reader knows as such.
    filters = ["--error", "unexpected_source", "--furnace", FURNACE, "--from", "1h"]
    code, out, _ = command("dead-letters", "redrive", *filters, "--yes", "--json")
    assert (code, outcomes(out)) == (0, {"sent": 3})
    assert letters_of(arrived(Topic.CURRENTS)) == ["0", "2", "0", "1", "2"]


def test_what_the_broker_refuses_holds_up_no_other(command, prefix, set_aside, arrived):
    early, good = samples(prefix, 2)
    set_aside([replace(early, timestamp_ms=4_000_000_000_000), good])

    code, out, _ = command("dead-letters", "redrive", "0", "1", "--yes")

    assert code == 1
    assert "1 failed, 1 sent" in out
    assert letters_of(arrived(Topic.CURRENTS)) == ["1"]


def test_what_makes_no_sense_is_refused_letter_by_letter(command, prefix, set_aside, arrived):
    for kind in BAD_KINDS:
        set_aside([kind.make(FURNACE, ORIGIN_NS).at(len(kind.name), prefix=prefix)], kind.reason)

    code, out, _ = command("dead-letters", "redrive", "--to", "2999-01-01T00:00:00Z", "--yes")
    assert code == 1
    assert "9 refused, 2 sent" in out

    code, out, _ = command(
        "dead-letters", "redrive", "--to", "2999-01-01T00:00:00Z", "--yes", "--force", "--json"
    )
    assert code == 1
    assert outcomes(out) == {"refused": 1, "sent": 10}
    assert len(arrived(Topic.CURRENTS)) + len(arrived(Topic.EMBEDDINGS)) == 12


def test_nobody_is_made_to_write_elsewhere(command, kafka, prefix, set_aside):
    other = samples(f"t{secrets.token_hex(4)}", 1)[0]
    missing = sample_record(FURNACE, ORIGIN_NS).at(0, prefix=prefix)
    set_aside([other, missing])
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        admin.delete_topics([missing.topic])
        until(lambda: missing.topic not in admin.list_topics(), "the topic being gone")

        code, out, _ = command("dead-letters", "redrive", "0", "1", "--yes")

        # For the fixture, which deletes them all.
        admin.create_topics({missing.topic: {"num_partitions": 1}})
    assert code == 1
    assert f"expected a topic of {prefix}.*, got '{other.topic}'" in out
    assert f"expected the topic {missing.topic}, it is gone" in out


def test_usage_is_checked_before_anything_is_asked(command, monkeypatch):
    monkeypatch.setenv("MELTWATCH_KAFKA", "127.0.0.1:9")
    for arguments in ([], ["1", "--error", "malformed"], ["1"], ["--from", "soon", "--yes"]):
        code, out, err = command("dead-letters", "redrive", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)


def test_too_many_letters_are_not_sent_by_accident(command, prefix, set_aside, arrived):
    set_aside(samples(prefix, 3))

    code, _, err = command("dead-letters", "redrive", "--from", "1h", "--limit", "2", "--yes")

    assert code == 2
    assert "expected at most 2 letters, found 3" in err
    assert arrived(Topic.CURRENTS) == []


@pytest.mark.usefixtures("kafka")
def test_a_missing_topic_is_one_line(command, kafka, monkeypatch):
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", "nobodys")

    code, out, err = command("dead-letters", "list")

    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "nobodys.dead-letters.v1" in err
