"""A plant that is lost: what stands outside of it to see before and after, and another cluster."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from kafka import KafkaConsumer, TopicPartition
from meltwatch_local_cluster.servers import KafkaServer, RedisServer
from meltwatch_schemas.access import ACCESS, Principal
from meltwatch_schemas.topics import Topic
from redis import Redis

from tests.integration.alarm_manager.bench import ManagerProcess
from tests.integration.console.bench import ConsoleProcess

Command = Callable[..., tuple[int, str, str]]
STATE = ACCESS[Principal.BACKUP].inputs


@dataclass(frozen=True)
class Site:
    """One plant: its servers, and how its processes are told.

    Attributes
    ----------
    kafka, redis
        Addresses.
    prefix
        Of topics.
    folder
        Logs and evidence.
    """

    kafka: str
    redis: str
    prefix: str
    folder: Path

    @property
    def evidence(self) -> Path:
        """Where the console keeps evidence."""
        return self.folder / "evidence"

    def environment(self) -> dict[str, str]:
        """Return the settings of a command."""
        return {"MELTWATCH_KAFKA": self.kafka, "MELTWATCH_TOPIC_PREFIX": self.prefix}

    def manager(self) -> ManagerProcess:
        """Return its alarm manager, which is to be started."""
        return ManagerProcess(
            self.folder / "manager.log", kafka=self.kafka, redis=self.redis,
            topic_prefix=self.prefix, alarm_manager_instance="manager",
        )  # fmt: skip

    def console(self) -> ConsoleProcess:
        """Return its console, which is to be started."""
        return ConsoleProcess(
            self.folder / "console.log", kafka=self.kafka, topic_prefix=self.prefix,
            console_evidence_dir=str(self.evidence),
        )  # fmt: skip

    def records(self, topic: Topic) -> list[Any]:
        """Return all committed records of a topic of one partition, as another client sees them."""
        part = TopicPartition(topic.under(self.prefix), 0)
        found: list[Any] = []
        with closing(
            KafkaConsumer(
                bootstrap_servers=self.kafka, group_id=None, enable_auto_commit=False,
                isolation_level="read_committed",
            )
        ) as consumer:  # fmt: skip
            consumer.assign([part])
            consumer.seek_to_beginning(part)
            end = consumer.end_offsets([part])[part]
            while consumer.position(part) < end:
                found += consumer.poll(200).get(part, [])
        return [(r.key, r.value, tuple(r.headers), r.timestamp) for r in found]

    def topics(self) -> dict[str, list[Any]]:
        """Return what stands on every state topic."""
        return {topic.value: self.records(topic) for topic in STATE}

    def view_client(self) -> Redis:
        """Return a client of its Redis."""
        return Redis.from_url(self.redis, decode_responses=True)

    def view(self) -> dict[str, Any]:
        """Return the alarm list as Redis has it."""
        with self.view_client() as client:
            names = sorted(client.scan_iter(f"{self.prefix}:alarm:*"))
            return {
                "alarms": {name: client.hgetall(name) for name in names},
                "active": client.zrange(f"{self.prefix}:active", 0, -1, withscores=True),
                "unacked": sorted(client.smembers(f"{self.prefix}:unacked")),
                "shelved": client.zrange(f"{self.prefix}:shelved", 0, -1, withscores=True),
            }


def shown(console: ConsoleProcess) -> dict[str, Any]:
    """Return what a console shows of alarms, of what people judged, and of kept evidence."""
    status, alarms = console.ask("api/v1/alarms")
    assert status == 200, alarms
    listed = console.ask("api/v1/occurrences?judged=all")[1]
    found = [each["occurrence_id"] for each in listed["occurrences"]]
    return {
        "alarms": sorted(alarms["alarms"], key=json.dumps),
        "occurrences": listed["occurrences"],
        "evidence": {each: _evidence(console, each) for each in found},
    }


def _evidence(console: ConsoleProcess, occurrence: str) -> Any:
    address = f"api/v1/occurrences/{occurrence}/evidence"
    status, told = console.ask(address)
    if status != 200:
        return status
    pictures = {}
    for frame in told["frames"]:
        with urlopen(f"{console.url}{address}/{frame['name']}") as answer:  # noqa: S310 - of ours
            pictures[frame["name"]] = answer.read()
    return told, pictures


@contextmanager
def elsewhere(folder: Path, prefix: str) -> Iterator[Site]:
    """Give a cluster of its own: a broker and a Redis that know nothing."""
    with KafkaServer(folder / "kafka") as kafka, RedisServer(folder / "redis") as redis:
        yield Site(kafka.address, redis.address, prefix, folder)
