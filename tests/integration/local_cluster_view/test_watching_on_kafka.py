"""The view watches records on a real broker, as a run's services write them."""

import io
import json
from contextlib import closing

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.health import Health, HealthServer
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.run_state import RunState, ServiceState
from meltwatch_local_cluster.ports import RunScenario, RunSources
from meltwatch_local_cluster.screen.observer import TopicFollower
from meltwatch_local_cluster.screen.view import RunWatch
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.alarm import ALARM_SCHEMA, HEARTBEAT_SCHEMA, Heartbeat
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.record import JSON, headers_for
from meltwatch_schemas.score import SCHEMA, encode_score
from meltwatch_schemas.topics import Topic, timestamp_ms
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator.scenario import furnace_ids
from rich.console import Console

from tests.support.run_states import run_state
from tests.support.timed_records import NOON, SECOND_NS, alarm_record, window_score
from tests.support.waiting import LIMIT_S, until

pytestmark = pytest.mark.integration

(FURNACE,) = furnace_ids(1)
DURATION_S = 150.0
TOPIC = "followed"


@pytest.fixture
def producer(kafka):
    with closing(KafkaProducer(bootstrap_servers=kafka.address)) as client:
        yield client


@pytest.fixture
def metrics_address():
    """A stream processor's metrics."""
    metrics = Metrics()
    metrics.windows.labels("skipped").inc(6)
    metrics.duplicates.labels("video").inc(2)
    healthy = Health(lambda: None, lambda: None)
    with HealthServer("127.0.0.1:0", healthy, metrics.registry) as server:
        yield server.address


def running(kafka, topics) -> RunState:
    return run_state(
        kafka=kafka.address,
        topic_prefix=topics.prefix,
        services={"stream_processor": ServiceState(pid=1, state="ready")},
        launcher_pid=1,
        launcher_started=psutil.Process().create_time(),
    )


def send_scores(producer, topics, origin_ns: int, until_s: float) -> None:
    end_ns = PUBLISHED_SPEC.first_end_after(FURNACE, origin_ns - 20 * SECOND_NS)
    while end_ns < origin_ns + until_s * SECOND_NS:
        latency_s = max(0.4, (origin_ns - end_ns) / SECOND_NS + 1)
        score = window_score(FURNACE, end_ns, latency_s=latency_s, last_ingest_ns=origin_ns)
        producer.send(
            topics.name(Topic.SCORES),
            key=FURNACE.encode(),
            value=encode_score(score),
            headers=headers_for(SCHEMA),
            timestamp_ms=timestamp_ms(end_ns),
        )
        end_ns += PUBLISHED_SPEC.hop_ns


def send_raise(producer, topics, raise_ns: int, seq: int) -> None:
    raised_s = (utc_from_ns(raise_ns) - NOON).total_seconds()
    alarm_id = f"{FURNACE}/OVERHEAT"
    record = alarm_record(alarm_id, raised_s=raised_s, published_after_s=0.7, seq=seq)
    producer.send(
        topics.name(Topic.ALARMS),
        key=record.alarm_id.encode(),
        value=record.to_json(),
        headers=headers_for(ALARM_SCHEMA, JSON),
    )


def send_the_rest(producer, topics, clock) -> None:
    alive = Heartbeat(
        service="alarm_manager", epoch=1, seq=1, active_alarms=0, at=utc_from_ns(clock.now_ns())
    )
    producer.send(
        topics.name(Topic.HEARTBEATS),
        key=b"alarm_manager",
        value=alive.to_json(),
        headers=headers_for(HEARTBEAT_SCHEMA, JSON),
    )
    producer.send(topics.name(Topic.LATE), key=FURNACE.encode(), value=b"late")
    refused = [("dlq.error", b"malformed")]
    producer.send(topics.name(Topic.DEAD_LETTERS), key=b"k", value=b"bad", headers=refused)


class PastClock(SystemClock):
    """The machine's clock, but streaming ends when the test says so."""

    ended_ns = 0

    def now_ns(self) -> int:
        return self.ended_ns or super().now_ns()


def test_a_run_is_watched_and_summed_up(kafka, topics, producer, metrics_address):
    clock = PastClock()
    # The run began 150 s ago, so that the truth of all of it is known; its records come now.
    origin_ns = clock.now_ns() - round(DURATION_S * SECOND_NS)
    scenario = RunScenario(RunSources.SIMULATOR, 1, 1, DURATION_S, origin_ns)
    out = io.StringIO()
    view = RunWatch({}, Console(file=out, width=100), clock, picture=None)
    send_scores(producer, topics, origin_ns, until_s=75)
    producer.flush()

    view.start(running(kafka, topics), scenario, {"stream_processor": metrics_address})
    faults = view._truth(origin_ns + round(DURATION_S * SECOND_NS))
    for seq, fault in enumerate(faults):
        send_raise(producer, topics, fault.start_ns + 6 * SECOND_NS, seq)
    send_the_rest(producer, topics, clock)
    producer.flush()
    until(lambda: out.getvalue().count("▲ UNACK") == len(faults), out.getvalue)
    clock.ended_ns = origin_ns + round(DURATION_S * SECOND_NS)
    view.stopping()
    said = out.getvalue()
    send_scores_after(producer, topics, origin_ns)
    summary = view.stop()

    content = json.loads(summary.to_json())
    assert len(faults) >= 2
    assert [fault["detected"] for fault in content["faults"]] == [True] * len(faults)
    assert {fault["delay_s"] for fault in content["faults"]} == {6.0}
    assert (content["false_alarms"], content["late"], content["dead_letters"]) == (0, 1, 1)
    assert content["windows"]["skipped"] == 6
    assert content["duplicates"] == 2
    assert content["backfill"]["scored"] in (13, 14)
    assert content["event_to_score_s"] == {"p50": 0.4, "p95": 0.4, "p99": 0.4}
    assert content["event_to_alarm_s"] == {"p50": 0.7, "p95": 0.7, "p99": 0.7}
    assert content["problems"] == []
    assert "streaming for 150 s" in said
    assert "● good" in out.getvalue()


def send_scores_after(producer, topics, origin_ns: int) -> None:
    """What the pipeline still publishes while it drains; repeated windows are no new ones."""
    send_scores(producer, topics, origin_ns, until_s=DURATION_S)
    producer.flush()


@pytest.fixture
def own_kafka(tmp_path):
    """A broker that the test may stop, with one topic."""
    with KafkaServer(tmp_path / "kafka") as kafka:
        with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
            admin.create_topics({TOPIC: {"num_partitions": 1}}, wait_for_metadata=True)
        yield kafka


def send(kafka, value: bytes) -> None:
    with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
        producer.send(TOPIC, value=value).get(LIMIT_S)


def next_values(follower, count: int) -> list[bytes]:
    values: list[bytes] = []

    def has_all() -> bool:
        values.extend(record.value for record in follower.poll(200))
        return len(values) >= count

    until(has_all, lambda: f"got {values}; {follower.problem}")
    return values


def test_a_follower_waits_for_kafka_and_then_begins_where_it_was_told(own_kafka):
    connection = {"bootstrap_servers": [own_kafka.address]}
    send(own_kafka, b"before")
    own_kafka.stop()
    with closing(TopicFollower(connection, [TOPIC], since_ms=0)) as follower:
        said = f"Kafka at {own_kafka.address}: expected an answer"
        until(
            lambda: follower.poll(200) == [] and said in (follower.problem or ""),
            lambda: follower.problem,
        )
        assert follower.lag() == 0

        own_kafka.start()
        own_kafka.wait_ready()
        send(own_kafka, b"after")

        assert next_values(follower, 2) == [b"before", b"after"]
        assert follower.problem is None
        assert follower.lag() == 0
