"""A real alarm manager as a process, and hands to feed it and to read what it writes."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic

from tests.support.kept_topics import kept_catalogue
from tests.support.logs import entries
from tests.support.servers import TEST_PARTITIONS
from tests.support.waiting import LIMIT_S, ended, until
from tests.support.warm_program import Fork, WarmProgram
from tests.unit.core.alarms.samples import DIGEST, score_record, setpoint

T = TypeVar("T")
_ANSWER_S = 20.0
# A new calibration of the default set-point must not turn the tests red.
_SETPOINT = """
from meltwatch_schemas import default_points as points
from meltwatch_schemas.alarm_point import Setpoint
points.DEFAULT_SETPOINT = Setpoint.model_validate_json('@POINT@')
points.MODEL_DIGEST = '@DIGEST@'
""".replace("@POINT@", setpoint().model_dump_json()).replace("@DIGEST@", DIGEST)
RUN = "from runpy import run_module; run_module({!r}, run_name='__main__')"


def warm_manager() -> WarmProgram:
    """Return what begins alarm managers warm."""
    return WarmProgram(_SETPOINT + "import meltwatch_alarm_manager.bootstrap, redis")


class ManagerProcess:
    """``python -m meltwatch_alarm_manager`` with the tests' thresholds; its log goes to a file.

    Parameters
    ----------
    environ
        Settings, without the prefix of their variables.
    log
        Where standard error goes; appended to.

    Attributes
    ----------
    warm
        What begins it, where its start is not what is looked at.
    """

    program = _SETPOINT + RUN.format("meltwatch_alarm_manager")

    def __init__(self, log: Path, **environ: str) -> None:
        self._log = log
        self._environ = os.environ | {f"MELTWATCH_{k.upper()}": v for k, v in environ.items()}
        self._process: subprocess.Popen[bytes] | Fork | None = None
        self.warm: WarmProgram | None = None

    def start(self) -> Self:
        """Start it; return at once."""
        if self.warm is not None:
            self._process = self.warm.start(self.program, self._environ, self._log)
            return self
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", self.program], env=self._environ, stderr=log
            )
        return self

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        self.wait()

    def has_ended(self) -> bool:
        """Tell whether it runs no more."""
        assert self._process is not None
        return self._process.poll() is not None

    def wait(self, timeout_s: float = LIMIT_S) -> int:
        """Wait for its end and return its exit code."""
        assert self._process is not None
        return ended(self._process, self._log, timeout_s)

    def log_lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of an event."""
        return entries(self._log, event)

    def last_line(self) -> str:
        """Return the last line on standard error."""
        return self._log.read_text().splitlines()[-1]

    def probe(self, path: str) -> tuple[int, str]:
        """Ask its health server; 0 while there is none."""
        addresses = self.log_lines("health_served")
        if not addresses:
            return 0, ""
        try:
            with urllib.request.urlopen(
                f"http://{addresses[-1]['address']}{path}", timeout=_ANSWER_S
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (OSError, HTTPException):  # nobody there, or busy
            return 0, ""

    def wait_ready(self) -> None:
        """Wait until it is ready."""
        until(lambda: self.probe("/readyz")[0] == 200, self._log.read_text)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


class Broker:
    """Writes to and reads from the topics of one test.

    Parameters
    ----------
    address
        ``host:port``.
    prefix
        Topic prefix.
    """

    def __init__(self, address: str, prefix: str) -> None:
        self.address = address
        self.prefix = prefix
        self._producer = KafkaProducer(bootstrap_servers=address)
        self._readers: dict[Topic, tuple[KafkaConsumer, list[Any]]] = {}

    def send(self, *records: RawRecord) -> None:
        """Write records to the topic they name; the key chooses the partition."""
        futures = [
            self._producer.send(
                record.topic,
                key=record.key,
                value=record.value,
                headers=list(record.headers),
            )
            for record in records
        ]
        for future in futures:
            future.get(LIMIT_S)

    def send_scores(self, scores: Iterable[WindowScore]) -> None:
        """Write scores."""
        self.send(*(score_record(made, 0, self.prefix) for made in scores))

    def read(self, topic: Topic) -> list[Any]:
        """Return the committed records of a topic of one partition."""
        tp = TopicPartition(topic.under(self.prefix), 0)
        if topic not in self._readers:
            self._readers[topic] = (self._reader(tp), [])
        consumer, found = self._readers[topic]
        end = consumer.end_offsets([tp])[tp]
        while consumer.position(tp) < end:
            found += consumer.poll(100).get(tp, [])
        return list(found)

    def _reader(self, tp: TopicPartition) -> KafkaConsumer:
        consumer = KafkaConsumer(
            bootstrap_servers=self.address,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        consumer.assign([tp])
        consumer.seek_to_beginning(tp)
        return consumer

    def alarms(self) -> list[AlarmRecord]:
        """Return the alarms topic."""
        return [AlarmRecord.from_json(record.value) for record in self.read(Topic.ALARMS)]

    def wait_alarms(self, count: int) -> list[AlarmRecord]:
        """Wait until the alarms topic has so many records."""

        def enough() -> list[AlarmRecord] | None:
            alarms = self.alarms()
            return alarms if len(alarms) >= count else None

        return until(enough, lambda: f"{count} alarm records, got {self.alarms()}")

    def close(self) -> None:
        """Close the clients."""
        self._producer.close()
        for consumer, _ in self._readers.values():
            consumer.close()


def view_of(client: Any, prefix: str) -> dict[str, Any]:
    """Return all of a view but the times of its making."""
    meta = client.hgetall(f"{prefix}:meta")
    journal = [fields for _, fields in client.xrange(f"{prefix}:journal")]
    hashes = [*client.scan_iter(f"{prefix}:alarm:*"), *client.scan_iter(f"{prefix}:furnace:*")]
    return {
        "meta": {name: meta.get(name) for name in ("epoch", "offset")},
        "journal": journal,
        "active": client.zrange(f"{prefix}:active", 0, -1, withscores=True),
        "unacked": client.smembers(f"{prefix}:unacked"),
        "shelved": client.zrange(f"{prefix}:shelved", 0, -1, withscores=True),
        "furnaces": client.smembers(f"{prefix}:furnaces"),
        "hashes": {name: client.hgetall(name) for name in hashes},
    }


def wait_for_view(client: Any, broker: Broker) -> None:
    """Wait until the alarms in Redis are the fold of the alarms topic; either may come first."""

    def agree() -> bool:
        with suppress(AssertionError):
            assert_view_equals(client, broker.prefix, broker.alarms())
            return True
        return False

    def differ() -> None:
        assert_view_equals(client, broker.prefix, broker.alarms())

    until(agree, differ)


def assert_view_equals(client: Any, prefix: str, alarms: Sequence[AlarmRecord]) -> None:
    """Hold the alarms in Redis against the fold of the alarms topic."""
    last = {record.alarm_id: record for record in alarms}
    names = set(client.scan_iter(f"{prefix}:alarm:*"))
    assert names == {f"{prefix}:alarm:{alarm_id}" for alarm_id in last}
    for alarm_id, record in last.items():
        stored = client.hgetall(f"{prefix}:alarm:{alarm_id}")
        assert stored, f"{alarm_id} was here a moment ago"
        assert AlarmRecord.from_json(stored["record"].encode()) == record
        assert (stored["state"], stored["epoch"]) == (record.state, str(record.epoch))
    active = {name for name, record in last.items() if record.active}
    unacked = {name for name, record in last.items() if record.state in ("UNACK", "RTNUN")}
    assert set(client.zrange(f"{prefix}:active", 0, -1)) == active
    assert client.smembers(f"{prefix}:unacked") == unacked
    journal = [fields["record"] for _, fields in client.xrange(f"{prefix}:journal")]
    assert [AlarmRecord.from_json(value.encode()) for value in journal] == list(alarms)


def make_again(address: str, prefix: str, topics: Collection[Topic]) -> None:
    """Delete topics and make them again at once."""
    wanted = {topic.under(prefix) for topic in topics}
    specs = [spec for spec in kept_catalogue(prefix, TEST_PARTITIONS) if spec.name in wanted]
    with KafkaAdminClient(bootstrap_servers=address) as admin:
        admin.delete_topics(sorted(wanted))
    made: set[str] = set()

    def are_there() -> bool:
        made.update(create_topics({"bootstrap_servers": [address]}, specs))
        return made >= wanted

    until(are_there, "the topics")
