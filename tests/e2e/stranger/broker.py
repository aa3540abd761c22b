"""Kafka as the stranger uses it: send and know where it went, follow topics, check as one goes."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

FOLLOWED = (
    "scores",
    "alarms",
    "alarm-results",
    "dead-letters",
    "late",
    "heartbeats",
)


LIMIT_S = 120
"""How long is waited for anything: no promise, a machine may be busy with other work."""


class Broker:
    """Sends records and collects what the product writes.

    Parameters
    ----------
    address
        ``host:port``.
    prefix
        Topic prefix.
    """

    def __init__(self, address: str, prefix: str) -> None:
        self._prefix = prefix
        self._producer = KafkaProducer(bootstrap_servers=address, acks="all", linger_ms=5)
        self._consumer = KafkaConsumer(
            bootstrap_servers=address, isolation_level="read_committed", enable_auto_commit=False
        )
        self.partitions = {
            name: len(self._consumer.partitions_for_topic(self.topic(name)) or ())
            for name in (*FOLLOWED, "embeddings", "currents")
        }
        everything = [
            TopicPartition(self.topic(name), number)
            for name in FOLLOWED
            for number in range(self.partitions[name])
        ]
        self._consumer.assign(everything)
        self._consumer.seek_to_end(*everything)
        for partition in everything:
            self._consumer.position(partition)
        self.records: dict[str, list[Any]] = defaultdict(list)

    def topic(self, name: str) -> str:
        """Give the full name of a topic."""
        return f"{self._prefix}.{name}.v1"

    def send(
        self, name: str, key: bytes | None, value: bytes, headers: list[Any], time_ns: int
    ) -> Any:
        """Send a record and give its future."""
        return self._producer.send(
            self.topic(name), value, key, headers=headers, timestamp_ms=time_ns // 1_000_000
        )

    def flush(self) -> None:
        """Wait until all is delivered."""
        self._producer.flush(timeout=LIMIT_S)

    def collect(self, seconds: float = 0.05) -> None:
        """Read what has come."""
        for partition, records in self._consumer.poll(timeout_ms=int(seconds * 1000)).items():
            name = partition.topic.removeprefix(f"{self._prefix}.").removesuffix(".v1")
            self.records[name] += records

    def of(self, name: str, key: str) -> list[Any]:
        """Give the records of a topic under a key, in order."""
        return [record for record in self.records[name] if record.key == key.encode()]

    def close(self) -> None:
        """Leave."""
        self._producer.close(timeout=LIMIT_S)
        self._consumer.close()


class Report:
    """One line per check; the exit code is 1 if any failed."""

    def __init__(self) -> None:
        self.failures = 0

    def check(self, name: str, failure: object = None) -> None:
        """Print a check: it holds if there is nothing to say against it."""
        failed = failure is not None and failure is not True
        self.failures += failed
        print(f"FAIL  {name}: {failure}" if failed else f"ok    {name}", flush=True)

    def equal(self, name: str, found: object, expected: object) -> None:
        """Check that a value is the expected one."""
        self.check(name, None if found == expected else f"expected {expected!r}, got {found!r}")

    def none(self, name: str, faults: list[Any]) -> None:
        """Check that a list of faults is empty."""
        self.check(name, f"{len(faults)}, first: {faults[0]}" if faults else None)


def wait_for(what: Callable[[], Any], step: Callable[[], None]) -> Any:
    """Go on step by step until something is there; give it, or None when the time is over."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if found := what():
            return found
        step()
    return what() or None
