"""The drain loses nothing, keeps order, and sends no second before the one before it stands."""

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from kafka.errors import InvalidTimestampError, KafkaTimeoutError
from meltwatch_chassis.kafka.writer import NotWritten
from meltwatch_chassis.testing import ManualClock
from meltwatch_producers.wires import Wire
from meltwatch_schemas import current, embedding
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.topics import Topic, timestamp_ms
from meltwatch_source_producer.drain import Drain
from meltwatch_source_producer.spool import LEAST_BYTES, Spool

from tests.support.builders import BOOT, FURNACE, NOON_NS, current_chunk, embedding_chunk

VIDEO, CURRENT = "plant.embeddings.v1", "plant.currents.v1"
S = 1_000_000_000
WIRES = {
    VIDEO: Wire(
        Topic.EMBEDDINGS,
        embedding.SCHEMA,
        embedding.encode_embedding,
        embedding.decode_embedding,
        0,
    ),
    CURRENT: Wire(
        Topic.CURRENTS, current.SCHEMA, current.encode_current, current.decode_current, 0
    ),
}


class Broker:
    """Takes what is sent, or fails as its chance has it."""

    def __init__(self, chance: random.Random, failing: float = 0.0) -> None:
        self.chance, self.failing = chance, failing
        self.calls: list[list[OutgoingRecord]] = []
        self.stands: list[OutgoingRecord] = []
        self.refused: set[int] = set()
        self.connections = 0

    @contextmanager
    def connect(self) -> Iterator["Broker"]:
        self.connections += 1
        if self.chance.random() < self.failing:
            raise ConnectionRefusedError("no broker")
        yield self

    def write_each(
        self, records: Sequence[OutgoingRecord], timeout_s: float
    ) -> list[NotWritten | None]:
        assert timeout_s > 0
        self.calls.append(list(records))
        return [self._taken(record) for record in records]

    def _taken(self, record: OutgoingRecord) -> NotWritten | None:
        if record.timestamp_ms in self.refused:
            return NotWritten(InvalidTimestampError())
        fails = self.chance.random() < self.failing
        if not fails or self.chance.random() < 0.5:  # what stands may look as if it failed
            self.stands.append(record)
        return NotWritten(KafkaTimeoutError("away")) if fails else None


class UntilIdle(threading.Event):
    """Stops a drain once its spool is empty; it never really waits."""

    def __init__(self, spool: Spool) -> None:
        super().__init__()
        self.spool = spool

    def is_set(self) -> bool:
        return self.spool.is_idle()

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "x.spool", LEAST_BYTES) as made:
        yield made


def backlog(seconds: int) -> list[OutgoingRecord]:
    """What a camera and a meter have put in, the meter's first: as after an outage of one."""
    currents = [
        WIRES[CURRENT].outgoing(
            CURRENT, current_chunk(NOON_NS + i * S, [[1, 2, 3]], seq=i), NOON_NS + i * S
        )
        for i in range(seconds)
    ]
    frames = [
        WIRES[VIDEO].outgoing(VIDEO, embedding_chunk([NOON_NS + i * S], seq=i), NOON_NS + i * S)
        for i in range(seconds)
    ]
    return [*currents, *frames]


def drained(spool: Spool, broker: Broker) -> dict[str, int]:
    counts: dict[str, int] = {}
    said: list[Exception | None] = []

    def count(topic: str, outcome: str, records: int) -> None:
        counts[outcome] = counts.get(outcome, 0) + records

    drain = Drain(spool, broker.connect, WIRES, count, said.append)
    drain.empty_spool(ManualClock(NOON_NS + 99 * S), UntilIdle(spool), lambda: None)
    assert said[-1] is None
    return counts


@pytest.mark.parametrize("seed", range(5))
def test_whatever_fails_all_of_it_stands_in_its_order(spool: Spool, seed: int):
    sent = backlog(20)
    for record in sent:
        spool.send(record)
    broker = Broker(random.Random(seed), failing=0.3)
    counts = drained(spool, broker)
    assert counts == {"delivered": 40}
    for topic in (VIDEO, CURRENT):
        times = [one.timestamp_ms for one in broker.stands if one.topic == topic]
        first = list(dict.fromkeys(times))
        assert sorted(first) == [one.timestamp_ms for one in sent if one.topic == topic]


def test_a_second_at_a_time_both_kinds_together_and_sent_now(spool: Spool):
    for record in backlog(30):
        spool.send(record)
    broker = Broker(random.Random(1))
    drained(spool, broker)
    ends = [
        (min(one.timestamp_ms or 0 for one in call), max(one.timestamp_ms or 0 for one in call))
        for call in broker.calls
    ]
    assert all(last - first <= 1000 for first, last in ends)
    assert all(before[1] < after[0] for before, after in pairwise(ends))
    assert {len({one.topic for one in call}) for call in broker.calls} == {2}
    chunks = [WIRES[one.topic].decode(one.value or b"") for one in broker.stands]
    assert {chunk.identity.ingest_time_ns for chunk in chunks} == {NOON_NS + 99 * S}
    assert {chunk.identity.boot_id for chunk in chunks} == {BOOT}
    assert {one.key for one in broker.stands} == {FURNACE.encode()}
    assert all(dict(one.headers)["schema"] for one in broker.stands)


def test_what_never_will_be_taken_holds_nothing_up(spool: Spool):
    sent = backlog(10)
    for record in sent:
        spool.send(record)
    spool.send(OutgoingRecord(VIDEO, b"a/F1", b"no message", (), 1))
    spool.send(OutgoingRecord("plant.other", b"a/F1", b"no wire", (), 2))
    broker = Broker(random.Random(1))
    broker.refused = {timestamp_ms(NOON_NS + 3 * S)}
    assert drained(spool, broker) == {"delivered": 18, "refused": 4}
    assert broker.connections == 1
