"""What is done on a plant with logins to see that every printed right is used, and no other."""

import json
import subprocess
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_cli.domain.state_copy import STATE
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_schemas.access import ACCESS, Operation, Principal, Resource, Right
from meltwatch_schemas.portrait import encode_portrait
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from tests.integration.secured.bench import PREFIX, Plant, Process, connection_of
from tests.support.builders import portrait
from tests.support.cameras import write_stills
from tests.support.input_records import InputRecord, frame_record, live
from tests.support.product import MELTWATCH
from tests.support.state_topics import StateInMemory, state_record, write_backup
from tests.support.waiting import LIMIT_S, until

SPOILT = ACCESS[Principal.REDRIVER].outputs
DISTURBER = "plain/F-1"
NOT_CHECKED = {
    (user, "DESCRIBE_CONFIGS") for user in (Principal.STREAM_PROCESSOR, Principal.SHADOW_PROCESSOR)
}


def disturb(plant: Plant) -> None:
    """Send what goes to the dead letters and to the late records."""
    start_ns = SystemClock().now_ns() - 140 * NS_PER_S
    good = live([DISTURBER], 20, start_ns=start_ns)
    late = replace(frame_record(DISTURBER, start_ns + NS_PER_S, seq=999))
    with closing(KafkaProducer(**plant.kafka.plain)) as producer:
        for record in (*good, late):
            _send(producer, record)
        for topic in SPOILT:
            headers = [("schema", b"?/1.0")]
            producer.send(topic.under(PREFIX), key=DISTURBER.encode(), value=b"{", headers=headers)
        producer.flush(LIMIT_S)
    for topic, count in ((Topic.DEAD_LETTERS, len(SPOILT)), (Topic.LATE, 1)):
        until(lambda t=topic, n=count: _count(plant, t) == n, lambda t=topic: (t, _count(plant, t)))  # type: ignore[misc]


def _send(producer: KafkaProducer, record: InputRecord) -> None:
    producer.send(
        record.topic.under(PREFIX),
        key=record.key,
        value=record.value,
        headers=list(record.headers),
        timestamp_ms=record.timestamp_ms,
    )


def _count(plant: Plant, topic: Topic) -> int:
    """Return how many records of the disturber a topic holds: a slow machine makes others late."""
    name = topic.under(PREFIX)
    with SpanReader.connected(plant.kafka.plain) as reader:
        spans = [
            (n, reader.first_offset(name, n), reader.end(name, n)) for n in reader.partitions(name)
        ]
        records = [record for span in spans for record in reader.read(name, *span)]
        return sum(record.key == DISTURBER.encode() for record in records)


def operate(plant: Plant, alarm_id: str) -> None:
    """Do what operators do, in Redis and on the topics."""
    for source in ([], ["--from-kafka"]):
        done = plant.command("operator", "alarms", "list", "--all", "--json", *source)
        assert alarm_id in done.stdout, done.stderr
    listed = {each["alarm_id"]: each for each in json.loads(done.stdout)}
    token = listed[alarm_id]["annunciation_id"]
    done = plant.command("operator", "alarms", "ack", alarm_id, "--event-id", token)
    # The self-test has acknowledged it and seen it go; a second time changes nothing and is done.
    said = f"{alarm_id}: done (ok) acknowledged already, NORM\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    with subprocess.Popen(
        [MELTWATCH, "alarms", "tail"],
        env=plant.environment("operator") | {"PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as tail:
        until(
            lambda: _has_used(plant, "operator", Operation.READ, Topic.HEARTBEATS),
            plant.audit,
        )
        tail.terminate()  # Ctrl-C is ignored by what a background job starts
        _, told = tail.communicate(timeout=LIMIT_S)
    assert "refuses" not in told


def _has_used(plant: Plant, user: str, operation: Operation, topic: Topic) -> bool:
    place = (Resource.TOPIC, topic.under(PREFIX))
    return (user, "Allowed", operation, *place) in plant.audit()


def give_back(plant: Plant) -> None:
    """Restore a backup into the topics, which are empty: something of each, which means nothing."""
    folder = plant.folder / "given back"
    saved = StateInMemory(
        {topic: [state_record(topic, 0, value=None)] for topic in STATE},
        [{Place(Topic.ALARM_COMMANDS, 0): Commit(1, 1, 1)}],
    )
    write_backup(saved, folder)
    done = plant.command("restore", "restore", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr


def save(plant: Plant) -> None:
    """Make a backup, while everything runs."""
    done = plant.command("backup", "backup", "--to", str(plant.folder / "backups"), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["left_out"] == {}


def maintain(plant: Plant) -> None:
    """Check the topics, redrive all letters, record and save all, keep and count the alarms."""
    save(plant)
    done = plant.command("topics", "topics", "check", "--partitions=3", "--replication-factor=1")
    assert done.returncode == 0, done.stdout + done.stderr
    done = plant.command("redriver", "dead-letters", "redrive", "--yes", "--force", "--from=-10m")
    # One letter for each record that ``disturb`` has spoilt, and nobody else spoils any.
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{len(SPOILT)} sent", done.stdout + done.stderr
    points = plant.folder / "points.yaml"
    points.write_text("alarm_points: [{alarm_class: overheat, equipment_path: spare/F-1}]")
    done = plant.command(
        "engineer", "alarms", "points", "apply", str(points), "--yes", "--why=a new furnace"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    file = plant.folder / "spare.portrait"
    file.write_bytes(encode_portrait(portrait(furnace_id="spare/F-1")))
    done = plant.command("engineer", "portrait", "publish", str(file), "--why=a new furnace")
    assert done.returncode == 0, done.stdout + done.stderr
    done = plant.command("engineer", "portrait", "show", "--furnace=spare/F-1")
    assert done.returncode == 0, done.stdout + done.stderr
    recording = str(plant.folder / "recording")
    done = plant.command("backtester", "record", "--from=-5m", "--to=now", "--output", recording)
    assert done.returncode == 0, done.stdout + done.stderr
    done = plant.command("backtester", "shadow", "report", "--from=-5m", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    done = plant.command("backtester", "portrait", "fit", "--furnace=spare/F-1", "--from=-5m")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "windows of normal operation" in done.stderr, "it could read all that it needs"
    done = plant.command("engineer", "portrait", "retire", "--furnace=spare/F-1", "--why=a trial")
    assert done.returncode == 0, done.stdout + done.stderr

    # It reads all, and sends no trace to the collector, which is not there.
    told = ["--from=-5m", "--once", "--share=0", "--to=http://127.0.0.1:1"]
    done = plant.command("tracer", "traces", "export", *told)
    assert done.returncode == 0, done.stdout + done.stderr
    for _ in range(2):
        done = plant.command("journal", "alarms", "journal", str(plant.folder / "journal"))
        assert done.returncode == 0, done.stdout + done.stderr
    done = plant.command("journal", "alarms", "report", "--from=-5m", "--json")
    assert done.returncode == 0, done.stdout + done.stderr


def tell_people(plant: Plant) -> str:
    """Start the gateway where no alarm manager is heard: that is told, and has a receipt."""
    channels, log = plant.folder / "channels.yaml", plant.folder / "notify_gateway.log"
    channels.write_text('channels: [{name: nowhere, url: "json://127.0.0.1:1/"}]')
    settings = plant.environment("notify_gateway", channels_file=str(channels))
    with Process("notify_gateway", settings, log):
        for topic in ACCESS[Principal.NOTIFY_GATEWAY].outputs:
            until(
                lambda topic=topic: _has_used(plant, "notify_gateway", Operation.WRITE, topic),
                log.read_text,
            )
    return log.read_text()


def watch_sources(plant: Plant) -> str:
    """Start the producer of a plant's own sources: stills play, and a meter that is away is NaN."""
    folder, log = plant.folder / "sources", plant.folder / "source_producer.log"
    folder.mkdir()
    write_stills(folder / "stills", [n * NS_PER_S // 2 for n in range(20)])
    sources = {
        "video": {"source_id": "camera", "address": "file:stills", "crop": [0, 0, 128, 128]},
        "current": {
            "source_id": "meter",
            "address": "modbus+tcp://127.0.0.1:1",
            "registers": {"first": 0},
        },
    }
    file = folder / "plant.yaml"
    file.write_text(json.dumps({"furnaces": [{"id": "spare/F-2", "name": "F-2", **sources}]}))
    user = Principal.SOURCE_PRODUCER
    settings = plant.environment(user, plant_file=str(file), spool_dir=str(folder))
    with Process(user, settings, log):
        for topic in ACCESS[user].outputs:
            until(lambda topic=topic: _has_used(plant, user, Operation.WRITE, topic), log.read_text)
    return log.read_text()


def watch_as_scada(plant: Plant) -> None:
    """Read and write the topics that SCADA adapters know: ours, and those of others."""
    for user in (Principal.SCADA, Principal.SCADA_ADAPTER, Principal.CONSOLE):
        access = ACCESS[user]
        connection = connection_of(plant.environment(user))
        _read_each(connection, {topic.under(PREFIX) for topic in access.inputs})
        with closing(KafkaProducer(**connection)) as producer:
            for topic in access.outputs:
                producer.send(topic.under(PREFIX), key=b"a/b/c", value=b"{}").get(LIMIT_S)


def _read_each(connection: dict[str, Any], names: set[str]) -> None:
    seen: set[str] = set()
    with closing(KafkaConsumer(**connection, auto_offset_reset="earliest")) as consumer:
        consumer.assign([TopicPartition(name, 0) for name in names])

        def has_seen_all() -> bool:
            seen.update(part.topic for part in consumer.poll(timeout_ms=500))
            return seen == names

        until(has_seen_all, lambda: f"records of {names - seen}")


def judge(plant: Plant, begun: int) -> None:
    """Hold what the authorizer has decided against what was granted."""
    denied = {
        (user, operation) for user, how, operation, *_ in plant.audit(begun) if how == "Denied"
    }
    assert {one for one in denied if one[1] != "DESCRIBE"} <= NOT_CHECKED
    assert unused_rights(plant, plant.granted) == set()


def unused_rights(plant: Plant, users: Iterable[str]) -> set[tuple[str, str]]:
    """Return the rights of users that the authorizer was never asked for."""
    audit = plant.audit()
    return {
        (user, str(right))
        for user in users
        for right in plant.granted[user]
        if not any(_is_use(entry, user, right) for entry in audit)
    }


def _is_use(entry: tuple[str, str, Operation, Resource, str], user: str, right: Right) -> bool:
    who, verdict, operation, resource, name = entry
    is_there = name.startswith(right.name) if right.prefixed else name == right.name
    kind = (user, "Allowed", right.operation, right.resource)
    return (who, verdict, operation, resource) == kind and is_there
