"""Sends the scripted load, as producers do, until told to stop: ``python -m tests.chaos.sender``.

Both topics go forward together, 2 s of event time at a time, each acknowledged by Kafka before
the next: so one topic is never ahead by what the rule takes for silence (5 s), however fast event
time runs and however long the broker is away. When the scores are far behind it goes no faster
than a plant does, so that a slow machine takes longer. It never stops: where all is silent the
join waits, too. SIGTERM ends it at the end of a cycle.

Among the records are those of strangers, who mean harm, and of operators, who send commands. Each
piece is compressed by another codec, as producers of all kinds do.
"""

import _thread
import argparse
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice

from kafka import KafkaConsumer, TopicPartition
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

from tests.chaos.load import LOADS, PARTITIONS, WARM_UP_CYCLES, cycle_end_ns, cycle_records
from tests.chaos.operators import Operators
from tests.chaos.outlet import Outlet
from tests.chaos.strangers import A_PIECE, strangers
from tests.chaos.tape import MARK
from tests.integration.stream_processor.worker import PROMPT
from tests.support.input_records import ORIGIN_NS, InputRecord

_PIECE_S = 2
_FURTHEST_AHEAD_S = 40.0
_PLANT_SPEED = 1.0
_WARM_UP_SPEED = 10.0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--load", choices=LOADS, default="mixed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=6.0, help="event seconds per second")
    asked = parser.parse_args(arguments)
    stop = threading.Event()
    # In a thread, as in ``meltwatch_chassis.lifecycle``: this one may hold the event's lock.
    signal.signal(signal.SIGTERM, lambda *_: _thread.start_new_thread(stop.set, ()))
    client = {"bootstrap_servers": asked.kafka.split(","), **PROMPT}
    scores = KafkaConsumer(**client, enable_auto_commit=False)
    alarms = KafkaConsumer(**client, enable_auto_commit=False, isolation_level="read_committed")
    with closing(scores), closing(alarms), Outlet(asked.kafka, asked.prefix) as outlet:
        crowd = _Crowd(asked.seed, Operators(alarms, asked.prefix, asked.seed))
        _send_cycles(outlet, crowd, _Followers(scores, asked.prefix), asked, stop)
    return 0


class _Followers:
    """How far the scores have come, by the ends of their windows."""

    def __init__(self, scores: KafkaConsumer, prefix: str) -> None:
        topic = Topic.SCORES.under(prefix)
        self._newest_ms = {TopicPartition(topic, number): 0 for number in range(PARTITIONS)}
        self._consumer = scores
        scores.assign(list(self._newest_ms))
        scores.seek_to_beginning(*self._newest_ms)

    def are_near(self, event_ns: int) -> bool:
        """Tell whether no partition is further behind an event time than is wanted."""
        for part, records in self._consumer.poll(timeout_ms=0).items():
            ends_ms = [r.timestamp for r in records if MARK not in dict(r.headers)]
            self._newest_ms[part] = max([self._newest_ms[part], *ends_ms])
        slowest_ns = max(ORIGIN_NS, min(self._newest_ms.values()) * NS_PER_MS)
        return event_ns - slowest_ns <= _FURTHEST_AHEAD_S * NS_PER_S


class _Crowd:
    """Those who send among the furnaces' records: strangers, and operators."""

    def __init__(self, seed: int, operators: Operators) -> None:
        self._rng = random.Random(f"crowd {seed}")
        self._strangers = strangers(seed)
        self._operators = operators

    def mixed_into(self, records: Sequence[InputRecord]) -> list[InputRecord]:
        """The records in their order, and theirs at random places among them."""
        mixed = list(records)
        for other in (*islice(self._strangers, A_PIECE), *self._operators.commands()):
            mixed.insert(self._rng.randint(0, len(mixed)), other)
        return mixed


def _send_cycles(
    outlet: Outlet,
    crowd: _Crowd,
    followers: _Followers,
    asked: argparse.Namespace,
    stop: threading.Event,
) -> None:
    cycle, event_ns, wall_s = 0, ORIGIN_NS, time.monotonic()
    while not stop.is_set():
        is_warm = asked.load == "mixed" or cycle >= WARM_UP_CYCLES
        for end_ns, piece in _pieces(cycle, cycle_records(asked.load, asked.seed, cycle)):
            outlet.send(crowd.mixed_into(piece))
            speed = _WARM_UP_SPEED
            if is_warm:
                speed = asked.speed if followers.are_near(end_ns) else _PLANT_SPEED
            wall_s = max(wall_s + (end_ns - event_ns) / NS_PER_S / speed, time.monotonic())
            event_ns = end_ns
            stop.wait(wall_s - time.monotonic())
        cycle += 1


def _pieces(
    cycle: int, records: Sequence[tuple[int, InputRecord]]
) -> Iterator[tuple[int, list[InputRecord]]]:
    """A cycle's records in pieces, each with the event time at which it ends."""
    for end_ns in range(
        cycle_end_ns(cycle - 1) + _PIECE_S * NS_PER_S,
        cycle_end_ns(cycle) + 1,
        _PIECE_S * NS_PER_S,
    ):
        start_ns = end_ns - _PIECE_S * NS_PER_S
        yield end_ns, [record for at_ns, record in records if start_ns <= at_ns < end_ns]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
