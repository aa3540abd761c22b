"""The stream processor as its own process, and what it leaves in Kafka."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Self
from urllib.error import HTTPError
from urllib.request import urlopen

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from meltwatch_local_cluster.servers.addresses import free_ports
from meltwatch_schemas.score import ScoreStatus, WindowScore, decode_score

from tests.support.input_records import InputRecord
from tests.support.logs import entries
from tests.support.waiting import LIMIT_S, ended, until

_ANSWER_S = 20.0
# By default a client of a broker that was away tries again after up to 30 s.
PROMPT = {"reconnect_backoff_max_ms": 500}
SERVICE = "meltwatch_stream_processor"


class Worker:
    """``python -m meltwatch_stream_processor`` with its log in a folder.

    Parameters
    ----------
    folder
        Where the log goes.
    program
        Module and arguments, where it is not the service itself, or a whole command line that
        begins with the path of another interpreter.
    settings
        ``MELTWATCH_*`` variables without their prefix.
    """

    def __init__(
        self, folder: Path, program: Sequence[str] = (SERVICE,), **settings: object
    ) -> None:
        (port,) = free_ports(1)
        self.health = f"127.0.0.1:{port}"
        self.log = folder / f"worker-{port}.log"
        own = {k: v for k, v in os.environ.items() if not k.startswith("MELTWATCH_")}
        given = {f"MELTWATCH_{name.upper()}": str(value) for name, value in settings.items()}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                program if "/" in program[0] else [sys.executable, "-m", *program],
                env=own | given | {"MELTWATCH_HEALTH_ADDRESS": self.health},
                stdin=subprocess.DEVNULL,
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(LIMIT_S)

    def stop(self) -> int:
        """End it as a supervisor would; return the exit code."""
        self.process.terminate()
        return ended(self.process, self.log)

    def ask(self, path: str) -> str:
        """The answer of the health server, good or bad; empty if there is none."""
        try:
            with urlopen(f"http://{self.health}/{path}", timeout=_ANSWER_S) as answer:
                return str(answer.read(), "utf-8")
        except HTTPError as error:
            with error:
                return error.read().decode()
        except (OSError, HTTPException):  # nobody there, or busy
            return ""

    def until_ready(self) -> None:
        """Wait for ``/readyz``."""
        until(lambda: self.ask("readyz") == "ok\n", self.log.read_text)

    def events(self) -> Counter[str]:
        """How often each event stands in the log."""
        return Counter(entry["event"] for entry in entries(self.log))


def send(address: str, prefix: str, records: Iterable[InputRecord]) -> None:
    """Send records as producers do."""
    producer = KafkaProducer(bootstrap_servers=address)
    for record in records:
        producer.send(
            record.topic.under(prefix),
            key=record.key,
            value=record.value,
            headers=list(record.headers),
            timestamp_ms=record.timestamp_ms,
        )
    producer.flush()
    producer.close()


class Tail:
    """All records of one topic, from its beginning, as they come."""

    def __init__(self, address: str, topic: str, partitions: int) -> None:
        self._consumer = KafkaConsumer(
            bootstrap_servers=address.split(","), enable_auto_commit=False, **PROMPT
        )
        parts = [TopicPartition(topic, number) for number in range(partitions)]
        self._consumer.assign(parts)
        self._consumer.seek_to_beginning(*parts)
        self.records: list[ConsumerRecord] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def read(self) -> list[ConsumerRecord]:
        """What has been fetched so far."""
        for batch in self._consumer.poll(timeout_ms=200).values():
            self.records.extend(batch)
        return self.records

    def read_all(self) -> list[ConsumerRecord]:
        """Everything that is in the topic at this moment."""
        ends = self._consumer.end_offsets(self._consumer.assignment())
        while any(self._consumer.position(part) < end for part, end in ends.items()):
            self.read()
        return self.records

    def until(
        self, enough: Callable[[list[ConsumerRecord]], bool], limit_s: float = LIMIT_S
    ) -> list[ConsumerRecord]:
        """Wait for enough records."""
        until(lambda: enough(self.read()), self._by_key, limit_s)
        return self.records

    def _by_key(self) -> str:
        counted = Counter((record.key or b"").decode(errors="replace") for record in self.records)
        return f"{len(self.records)} records: {dict(counted)}"


def scores_of(records: Iterable[ConsumerRecord]) -> list[WindowScore]:
    """Scores in the order of their publication per partition."""
    return [decode_score(record.value) for record in records]


def gaps(scores: Iterable[WindowScore], hop_ns: int) -> list[str]:
    """Where a furnace's window numbers do not ascend by one, in the order of publication."""
    last: dict[str, int] = {}
    found = []
    for score in scores:
        before = last.get(score.furnace_id, score.window_end_ns - hop_ns)
        if score.window_end_ns - before != hop_ns:
            found.append(f"{score.furnace_id}: {score.window_end_ns} after {before}")
        last[score.furnace_id] = score.window_end_ns
    return found


def statuses(scores: Iterable[WindowScore]) -> Counter[ScoreStatus]:
    """How often each status occurs."""
    return Counter(score.status for score in scores)


@dataclass(frozen=True)
class Works:
    """Topics under one prefix, and what workers publish there.

    Attributes
    ----------
    kafka, prefix
        The broker's address and the topics' first part.
    scores
        The scores, from the first.
    folder
        Where workers log.
    """

    kafka: str
    prefix: str
    scores: Tail
    folder: Path

    def worker(
        self, triton: str, program: Sequence[str] = (SERVICE,), **settings: object
    ) -> Worker:
        """Start a worker."""
        own = {"kafka": self.kafka, "topic_prefix": self.prefix, "triton": triton}
        return Worker(self.folder, program, **own | settings)

    def send(self, records: Iterable[InputRecord]) -> None:
        """Send records as producers do."""
        send(self.kafka, self.prefix, records)

    def published(self, count: int) -> list[WindowScore]:
        """Wait for so many scores; return all that have been fetched."""
        return scores_of(self.scores.until(lambda found: len(found) >= count))

    def settled(self, worker: Worker) -> list[WindowScore]:
        """Wait until a worker has nothing in flight; return all scores."""
        until(lambda: "inflight_windows 0.0" in worker.ask("metrics"), "no window in flight")
        return scores_of(self.scores.read_all())
