"""The whole hostile corpus at everything that reads records: refused or taken, never an end.

Readers catch ``ContractViolation`` and ``ValidationError``: nothing else may come of a record.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from meltwatch_chassis.testing import ManualClock
from meltwatch_cli.adapters.kafka_alarms import AlarmTopics
from meltwatch_local_cluster.domain.observed_run import ObservedRun
from meltwatch_local_cluster.screen.observer import Observer
from meltwatch_schemas.alarm import AlarmRecord, Heartbeat
from meltwatch_schemas.alarm_command import AlarmCommand, CommandResult
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.dead_letter import read_dead_letter
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.outside import FurnaceState
from meltwatch_schemas.record import RawRecord, read_current, read_embedding, read_json, read_score
from pydantic import ValidationError

from tests.support.builders import alarm_record
from tests.support.hostile_alarms import foreign_records, hostile_alarm_inputs
from tests.support.hostile_wire import hostile_records

FURNACE = "a/b/F1"
NOON_NS = 1_760_000_000_000_000_000
MESSAGES = (AlarmRecord, AlarmPoint, AlarmCommand, CommandResult, Heartbeat, FurnaceState)


def corpus() -> list[RawRecord]:
    true_record = alarm_record(f"{FURNACE}/OVERHEAT").to_json()
    return [
        hostile.raw()
        for hostile in (
            *hostile_records(FURNACE, NOON_NS),
            *hostile_alarm_inputs(FURNACE, NOON_NS),
            *foreign_records(FURNACE, true_record, NOON_NS),
        )
    ]


def as_any_topic(record: RawRecord) -> Iterator[RawRecord]:
    """The record where it was meant for, and in every topic that the screen follows."""
    yield record
    for name in ("scores", "alarms", "heartbeats", "late", "dead-letters"):
        yield replace(record, topic=f"meltwatch.{name}.v1")


READERS: dict[str, Callable[[RawRecord], Any]] = {
    "embedding": read_embedding,
    "current": read_current,
    "score": read_score,
    "dead letter": read_dead_letter,
    **{kind.__name__: lambda raw, kind=kind: read_json(raw, kind) for kind in MESSAGES},
    **{
        f"{kind.__name__} of the command line": lambda raw, kind=kind: [
            *AlarmTopics({}, "p")._messages([raw], kind)
        ]
        for kind in (AlarmRecord, CommandResult, Heartbeat)
    },
}


@pytest.mark.parametrize("reader", READERS)
def test_a_record_is_taken_or_refused(reader: str) -> None:
    for raw in corpus():
        with suppress(ContractViolation, ValidationError):
            READERS[reader](raw)


class _Follower:
    problem = None

    def __init__(self, records: list[RawRecord]) -> None:
        self.records = records

    def poll(self, _timeout_ms: int) -> list[RawRecord]:
        return self.records


def test_the_screen_goes_on() -> None:
    records = [each for record in corpus() for each in as_any_topic(record)]
    run = ObservedRun([FURNACE], NOON_NS)
    observer = Observer(_Follower(records), run, lambda: None, ManualClock())
    observer.look(0)
    assert observer.unreadable > len(corpus())
