"""Histories on a real broker, and ``meltwatch record`` of them."""

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from meltwatch_backtester.adapters.kafka_history import open_kafka_history
from meltwatch_backtester.adapters.recording_history import open_recording
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.errors import HistoryMissing
from meltwatch_backtester.pipeline.scope import ScopeOptions, scope_of
from meltwatch_backtester.ports import OffsetRange, TopicPart
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas import score
from meltwatch_schemas.alarm import Mode
from meltwatch_schemas.alarm_point import POINT_SCHEMA
from meltwatch_schemas.default_points import default_points
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.record import JSON, RawRecord, headers_for
from meltwatch_schemas.score import Cut, encode_score
from meltwatch_schemas.topics import Topic, catalogue, timestamp_ms
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.support.builders import score_times, window_score
from tests.support.history import HistoryInMemory
from tests.support.input_records import ORIGIN_NS, InputRecord
from tests.support.kept_topics import kept_catalogue
from tests.support.murmur2 import partition_of
from tests.support.product import MELTWATCH
from tests.support.servers import TEST_PARTITIONS, Topics
from tests.support.waiting import LIMIT_S

pytestmark = pytest.mark.integration

FURNACES = ("plant/hall/FMF-01", "plant/hall/FMF-02")
NEEDED = {
    Topic.EMBEDDINGS, Topic.CURRENTS, Topic.SCORES, Topic.SHADOW_SCORES,
    Topic.ALARMS, Topic.ALARM_POINTS, Topic.ALARM_COMMANDS, Topic.PORTRAITS,
}  # fmt: skip
LIVED_S = 400
SPAN = Span(ORIGIN_NS + 200 * NS_PER_S, ORIGIN_NS + 230 * NS_PER_S)
WHEN = ("--from", rfc3339(utc_from_ns(SPAN.from_ns)), "--to", rfc3339(utc_from_ns(SPAN.to_ns)))


def inputs() -> list[InputRecord]:
    """What two furnaces send, a record a second of each topic, some late; nobody looks inside."""
    return [
        InputRecord(topic, furnace_id.encode(), b"anything", (), timestamp_ms(time_ns))
        for second in range(LIVED_S)
        for time_ns in [ORIGIN_NS + (second - 7 * (second % 11 == 5)) * NS_PER_S]
        for furnace_id in FURNACES
        for topic in (Topic.EMBEDDINGS, Topic.CURRENTS)
    ]


def scores(prefix: str, partitions: int, cut: Cut) -> Iterator[InputRecord]:
    """Scores of all windows; those of the span reach back to the cut, the others say nothing."""
    for furnace_id in FURNACES:
        partition = partition_of(furnace_id.encode(), partitions)
        for k in range(100, LIVED_S, 20):
            end_ns = PUBLISHED_SPEC.first_end_after(furnace_id, ORIGIN_NS + k * NS_PER_S)
            names = [topic.under(prefix) for topic in (Topic.EMBEDDINGS, Topic.CURRENTS)]
            inputs = dict.fromkeys(names, replace(cut, partition=partition))
            record = window_score(
                end_ns, furnace_id, times=score_times(end_ns),
                inputs=inputs if end_ns in SPAN else {},
            )  # fmt: skip
            headers = tuple(headers_for(score.SCHEMA))
            yield InputRecord(
                Topic.SCORES, furnace_id.encode(), encode_score(record), headers,
                timestamp_ms(end_ns),
            )  # fmt: skip


def send(kafka: KafkaServer, prefix: str, records: list[InputRecord]) -> None:
    with KafkaProducer(bootstrap_servers=kafka.address) as producer:
        for record in records:
            producer.send(
                record.topic.under(prefix),
                key=record.key,
                value=record.value,
                headers=list(record.headers),
                timestamp_ms=record.timestamp_ms,
            )
        producer.flush()


@contextmanager
def lived_through(kafka: KafkaServer) -> Iterator[Topics]:
    """Make topics with a history in them, which nothing deletes."""
    made = Topics(f"t{secrets.token_hex(4)}", TEST_PARTITIONS)
    whole = kept_catalogue(made.prefix, made.partitions)
    specs = [spec for spec in whole if spec.topic in NEEDED]
    create_topics({"bootstrap_servers": [kafka.address]}, specs)
    found = list(scores(made.prefix, made.partitions, Cut(0, 10, 320)))
    send(kafka, made.prefix, [*inputs(), *found])
    yield made
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        admin.delete_topics([spec.name for spec in specs])


@pytest.fixture(scope="module")
def shared(kafka: KafkaServer) -> Iterator[Topics]:
    with lived_through(kafka) as made:
        yield made


@pytest.fixture
def lived(kafka: KafkaServer, shared: Topics, monkeypatch: pytest.MonkeyPatch) -> Topics:
    """Topics that commands are told of; tests only add to them."""
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", shared.prefix)
    return shared


def connection(kafka: KafkaServer) -> dict:
    return {"bootstrap_servers": [kafka.address], "bootstrap_timeout_ms": 5_000}


def parts(partitions: int) -> list[TopicPart]:
    shared = (Topic.EMBEDDINGS, Topic.CURRENTS, Topic.SCORES)
    return [TopicPart(topic, partition) for topic in shared for partition in range(partitions)]


def content(history, part: TopicPart, offsets: OffsetRange) -> list[RawRecord]:
    return list(history.read(part, *offsets))


def test_a_history_in_kafka_keeps_the_laws_of_one_in_memory(kafka, lived):
    with open_kafka_history(connection(kafka), lived.prefix) as history:
        everything = parts(lived.partitions)
        model = HistoryInMemory(
            {part: content(history, part, OffsetRange(0, 2**60)) for part in everything}
        )
        for part in everything:
            bounds = history.bounds(part)
            assert bounds == model.bounds(part)
            for offset_s in (-9, 0, 0.0004, 33.3, 37, 40.5, 399, 1000):
                time_ns = ORIGIN_NS + round(offset_s * NS_PER_S)
                assert history.start_at(part, time_ns) == model.start_at(part, time_ns)
            middle = OffsetRange(bounds.end // 3, bounds.end * 2 // 3)
            assert content(history, part, middle) == content(model, part, middle)


def test_two_parts_are_read_at_the_same_time(kafka, lived):
    with open_kafka_history(connection(kafka), lived.prefix) as history:
        partition = partition_of(FURNACES[0].encode(), lived.partitions)
        pair = [TopicPart(topic, partition) for topic in (Topic.EMBEDDINGS, Topic.CURRENTS)]
        merged = zip(*(history.read(part, *history.bounds(part)) for part in pair), strict=False)
        offsets = [(frame.offset, sample.offset) for frame, sample in merged]

    assert offsets == [(n, n) for n in range(len(offsets))]
    assert len(offsets) >= LIVED_S


def test_a_recording_holds_what_a_replay_of_kafka_reads(kafka, lived, command, tmp_path):
    code, out, err = command("record", *WHEN, "--output", str(tmp_path / "saved"), "--json")

    assert code == 0, err
    summary, recording = json.loads(out), open_recording(tmp_path / "saved")
    with open_kafka_history(connection(kafka), lived.prefix) as history:
        scope = scope_of(history, SPAN, ScopeOptions())
        assert scope_of(recording, SPAN, ScopeOptions()) == scope
        for part, offsets in scope.items():
            assert content(recording, part, offsets) == content(history, part, offsets)
    held = partition_of(FURNACES[0].encode(), lived.partitions)
    assert scope[TopicPart(Topic.EMBEDDINGS, held)].start == 10, "the scores say so"
    assert summary["records"]["embeddings"] == sum(
        offsets.end - offsets.start
        for part, offsets in scope.items()
        if part.topic is Topic.EMBEDDINGS
    )


def test_the_end_is_frozen_while_producers_go_on(kafka, lived, tmp_path, command):
    stop = threading.Event()

    def produce() -> None:
        while not stop.wait(0.01):
            send(kafka, lived.prefix, [next(scores(lived.prefix, lived.partitions, Cut(0, 1, 2)))])

    with open_kafka_history(connection(kafka), lived.prefix) as history:
        partition = partition_of(FURNACES[0].encode(), lived.partitions)
        part = TopicPart(Topic.SCORES, partition)
        frozen = history.bounds(part)
        producer = threading.Thread(target=produce)
        producer.start()
        try:
            code, _, err = command("record", *WHEN, "--output", str(tmp_path / "saved"))
            assert code == 0, err
            assert [r.offset for r in history.read(part, 0, 2**60)] == list(range(*frozen))
            assert history.start_at(part, ORIGIN_NS + 10**15) == frozen.end
        finally:
            stop.set()
            producer.join()
        with open_kafka_history(connection(kafka), lived.prefix) as later:
            assert later.bounds(part).end > frozen.end


def test_recording_leaves_no_trace_in_kafka(kafka, lived, command, tmp_path):
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        before = groups(admin)
        assert command("record", *WHEN, "--output", str(tmp_path / "saved"))[0] == 0
        # What others have left may go meanwhile, and changes its state.
        assert groups(admin) <= before


def test_adopting_reads_scores_and_alarm_points_and_changes_nothing(kafka, lived, command):
    """Its scores are too few; one of the two stands in shadow, by the topic."""
    shadow, loud = (default_points(furnace_id)[0] for furnace_id in FURNACES)
    shadow = shadow.model_copy(update={"mode": Mode.SHADOW})
    with KafkaProducer(bootstrap_servers=kafka.address) as producer:
        producer.send(
            lived.name(Topic.ALARM_POINTS), shadow.to_json(), shadow.alarm_id.encode(),
            headers=list(headers_for(POINT_SCHEMA, JSON)),
        )  # fmt: skip
    span = ("--from", rfc3339(utc_from_ns(ORIGIN_NS)), *WHEN[2:], "--json")
    told = [command("furnaces", "adopt", furnace_id, *span) for furnace_id in FURNACES]

    assert [code for code, _, _ in told] == [1, 1], told
    quiet, noisy = (json.loads(out) for _, out, _ in told)
    assert quiet["windows"]["scored"] == noisy["windows"]["scored"] > 0
    assert quiet["windows"]["missing"] > 0
    assert quiet["proposal"] == []
    assert [(p["alarm_id"], p["mode"]) for p in noisy["proposal"]] == [(loud.alarm_id, "shadow")]
    assert command("furnaces", "adopt", "plant/hall/nobody", *span)[0] == 2


def groups(admin: KafkaAdminClient) -> set[str]:
    return {str(each["group_id"]) for each in admin.list_groups()}


def delete_below(kafka: KafkaServer, topic: str, partition: int, offset: int) -> None:
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        admin.delete_records({TopicPartition(topic, partition): offset})


def test_what_retention_has_deleted_is_one_line(kafka, command, tmp_path, monkeypatch):
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    saved = ("record", *WHEN, "--output", str(tmp_path / "saved"))
    with lived_through(kafka) as doomed:
        monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", doomed.prefix)
        partition = partition_of(FURNACES[0].encode(), doomed.partitions)
        part = TopicPart(Topic.CURRENTS, partition)
        with open_kafka_history(connection(kafka), doomed.prefix) as history:
            delete_below(kafka, doomed.name(Topic.CURRENTS), partition, 50)
            with pytest.raises(HistoryMissing, match="deleted records while they were read"):
                content(history, part, history.bounds(part))
        refused, partial = command(*saved), command(*saved, "--partial")

    assert (refused[0], refused[2].count("\n")) == (2, 1)
    gap = f"{doomed.name(Topic.CURRENTS)}/{partition}: the scores need offsets 10 to "
    assert gap in refused[2]
    assert "there are 50 to " in refused[2]
    assert "--partial" in refused[2]
    assert partial[0] == 0, partial[2]
    recording = open_recording(tmp_path / "saved")
    assert recording.partial
    assert recording.bounds(part).start == 50


def test_without_topics_it_is_bad_usage(kafka, command, tmp_path, monkeypatch):
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", "nobody")
    code, _, err = command("record", *WHEN, "--output", str(tmp_path / "saved"))

    assert (code, err.count("\n")) == (2, 1)
    assert "expected the catalogue under 'nobody'" in err


def test_a_broker_killed_while_it_is_read_is_one_line(tmp_path):
    """More than one fetch brings, so that a reader must ask a dead broker for the rest."""
    with KafkaServer(tmp_path / "kafka") as own:
        topics = [spec for spec in catalogue("mine", 1) if spec.topic in NEEDED]
        create_topics({"bootstrap_servers": [own.address]}, topics)
        with KafkaProducer(bootstrap_servers=own.address, max_request_size=1_100_000) as producer:
            for _ in range(40):
                producer.send(Topic.EMBEDDINGS.under("mine"), bytes(1_000_000))
            producer.flush()
        with subprocess.Popen(
            [sys.executable, "-c", READER, own.address],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as reader:  # fmt: skip
            assert reader.stdout is not None
            assert reader.stdout.readline() == "offset 0\n"
            own.kill()
            _, said = reader.communicate("go on\n", timeout=LIMIT_S)

    assert (reader.returncode, said.count("\n")) == (3, 1), said
    assert f"Kafka at {own.address}: expected an answer" in said


READER = """
import sys
from meltwatch_backtester.adapters.kafka_history import open_kafka_history
from meltwatch_backtester.ports import TopicPart
from meltwatch_chassis.kafka import span
from meltwatch_chassis.errors import FatalError
from meltwatch_schemas.topics import Topic

span._PATIENCE_POLLS = 10  # else 15 s
part = TopicPart(Topic.EMBEDDINGS, 0)
try:
    with open_kafka_history({"bootstrap_servers": [sys.argv[1]]}, "mine") as history:
        records = history.read(part, *history.bounds(part))
        print("offset", next(records).offset, flush=True)
        sys.stdin.readline()
        list(records)
except FatalError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""
"""In a process of its own: Kafka's client leaves sockets open where a connection is refused."""


def test_a_broker_that_is_not_there_is_one_line(tmp_path):
    own = {k: v for k, v in os.environ.items() if not k.startswith("MELTWATCH_")}
    done = subprocess.run(
        [MELTWATCH, "record", *WHEN, "--output", str(tmp_path / "saved")],
        env=own | {"MELTWATCH_KAFKA": "127.0.0.1:1"},
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "meltwatch: Kafka at 127.0.0.1:1: expected an answer" in done.stderr
