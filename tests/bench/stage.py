"""The servers that rows need, each started when the first row asks for it."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Final, Self, TypeVar

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_local_cluster.servers import KafkaServer, RedisServer, Server, TritonServer
from meltwatch_schemas.topics import Topic

from tests.bench.processes import Sample
from tests.integration.stream_processor.worker import SERVICE, Worker
from tests.support.input_records import InputRecord
from tests.support.kept_topics import kept_catalogue
from tests.support.source import ROOT

PARTITIONS: Final = 12
DIMS: Final = 192
MANAGER: Final = "meltwatch_alarm_manager"
# Small matrices on several threads would take the cores from those who are measured.
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_Server = TypeVar("_Server", bound=Server)


class Stage:
    """Servers of its own, in a folder.

    Parameters
    ----------
    folder
        For data and logs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running = ExitStack()
        self._instant: dict[int, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def _run(self, server: _Server) -> _Server:
        return self._running.enter_context(server)

    @cached_property
    def kafka(self) -> KafkaServer:
        """One broker."""
        return self._run(KafkaServer(self.folder / "kafka"))

    @cached_property
    def redis(self) -> RedisServer:
        """One Redis."""
        return self._run(RedisServer(self.folder / "redis"))

    @cached_property
    def triton(self) -> TritonServer:
        """The real Triton, with the models of the repository."""
        return self._run(TritonServer(self.folder / "triton"))

    def instant_triton(self, dims: int = DIMS) -> str:
        """Return the address of a stand-in that answers at once, for frames of so many values."""
        if dims not in self._instant:
            program = [sys.executable, "-m", "tests.bench.instant_triton", str(dims)]
            process = self._running.enter_context(
                subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            )
            self._running.callback(process.kill)
            assert process.stdout is not None
            self._instant[dims] = process.stdout.readline().strip()
        return self._instant[dims]

    def topics(self, partitions: int = PARTITIONS) -> "Topics":
        """Make a catalogue of topics whose records never expire."""
        return Topics(self, f"bench{secrets.token_hex(3)}", partitions)


class Topics:
    """A catalogue of topics under a prefix of its own, and who works on it."""

    def __init__(self, stage: Stage, prefix: str, partitions: int) -> None:
        self._stage, self.prefix, self.partitions = stage, prefix, partitions
        self.kafka = stage.kafka.address
        specs = kept_catalogue(prefix, partitions)
        create_topics({"bootstrap_servers": [self.kafka]}, specs)
        self._consumer = KafkaConsumer(bootstrap_servers=self.kafka)
        self._producer = KafkaProducer(bootstrap_servers=self.kafka)

    def name(self, topic: Topic) -> str:
        """Return the full name of a topic."""
        return topic.under(self.prefix)

    @property
    def inputs(self) -> list[str]:
        """Full names of both input topics."""
        return [self.name(Topic.EMBEDDINGS), self.name(Topic.CURRENTS)]

    def post(self, record: InputRecord) -> None:
        """Send a record soon."""
        self._producer.send(
            self.name(record.topic),
            key=record.key,
            value=record.value,
            headers=list(record.headers),
            timestamp_ms=record.timestamp_ms,
        )

    def send(self, records: Iterable[InputRecord]) -> None:
        """Send records as producers do, until Kafka has them."""
        for record in records:
            self.post(record)
        self._producer.flush()

    def count(self, topic: Topic, partitions: int = 0) -> int:
        """Return how many records were written to a topic."""
        numbers = range(partitions or self.partitions)
        parts = [TopicPartition(self.name(topic), number) for number in numbers]
        return sum(self._consumer.end_offsets(parts).values())

    def worker(self, triton: str, **settings: object) -> Worker:
        """Start a stream processor."""
        own = {"kafka": self.kafka, "topic_prefix": self.prefix, "triton": triton}
        return Worker(self._stage.folder, (SERVICE,), **own | settings)

    def manager(self, **settings: object) -> Worker:
        """Start an alarm manager."""
        own = {"kafka": self.kafka, "topic_prefix": self.prefix, "redis": self._stage.redis.address}
        return Worker(self._stage.folder, (MANAGER,), **own | settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()
        self._producer.close()


def loop(arguments: Sequence[str], limit_s: float = 240.0) -> list[Sample]:
    """Run one of the bare loops to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bare_loops", *arguments],
        cwd=ROOT,
        env=os.environ | _ONE_THREAD,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"bare loop {arguments[0]}: {done.stderr[-500:]}")
    said = [json.loads(line) for line in done.stdout.splitlines()]
    return [Sample(each["at_s"], each["count"], {"loop": each["cpu_s"]}, {}) for each in said]
