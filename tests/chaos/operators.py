"""Operators who acknowledge, comment, send twice, and err; each command names its right answers."""

import json
import random
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from kafka import KafkaConsumer, TopicPartition
from meltwatch_schemas.topics import Topic

from tests.chaos.alarm_points import POINTS
from tests.chaos.tape import CODES, MARK
from tests.support.input_records import InputRecord

_HEADERS: Final = (("schema", b"alarm-command/1.0"), ("content-type", b"application/json"))
# What the alarm's state allows at the moment when the command is read, nobody knows before.
_BY_STATE: Final = "ok|stale|wrong_state"


class Operators:
    """Look at the alarms, and send a command now and then.

    Parameters
    ----------
    consumer
        Of the alarms topic, which nobody has assigned yet.
    prefix
        Of the topics.
    seed
        What they do is a function of it and of what they see.
    """

    def __init__(self, consumer: KafkaConsumer, prefix: str, seed: int) -> None:
        self._rng = random.Random(f"operators {seed}")
        self._events: dict[str, list[str]] = {}
        self._sent: list[tuple[str, Mapping[str, Any]]] = []
        self._consumer = consumer
        part = TopicPartition(Topic.ALARMS.under(prefix), 0)
        consumer.assign([part])
        consumer.seek_to_beginning(part)

    def commands(self) -> Iterator[InputRecord]:
        """What they send now."""
        self._look()
        choice = self._rng.choice(("ack", "ack", "stale", "comment", "again", "wrong", "nothing"))
        if choice == "wrong":
            yield self._wrong()
        elif choice == "again" and self._sent:
            yield _record(*self._rng.choice(self._sent), "duplicate")
        elif choice in ("ack", "stale", "comment") and self._events:
            yield self._right(choice)

    def _look(self) -> None:
        for records in self._consumer.poll(timeout_ms=0).values():
            for record in records:
                if record.value is not None and MARK not in dict(record.headers):
                    event_id = json.loads(record.value)["event_id"]
                    self._events.setdefault(record.key.decode(), []).append(event_id)

    def _right(self, choice: str) -> InputRecord:
        alarm_id = self._rng.choice(list(self._events))
        events = self._events[alarm_id]
        event_id = {"ack": events[-1], "stale": events[0]}.get(choice)
        word = "comment" if choice == "comment" else "ack"
        fields = self._fields(alarm_id, word, expected_event_id=event_id)
        self._sent.append((alarm_id, fields))
        return _record(alarm_id, fields, _BY_STATE)

    def _wrong(self) -> InputRecord:
        """One that can be answered, and is refused whatever the alarm's state."""
        alarm_id = self._rng.choice(POINTS).alarm_id
        wrong: dict[str, dict[str, Any]] = {
            "unknown_command": {"command": "explode"},
            "unknown_alarm": {"alarm_id": "no/such/furnace/OVERHEAT"},
            "malformed": {"issued_at": "yesterday"},
            "not_permitted": {"role": "viewer"},
            "bad_arguments": {"comment": ""},
        }
        codes = self._rng.choice(list(wrong))
        fields = self._fields(alarm_id, "comment") | wrong[codes]
        return _record(fields["alarm_id"], fields, codes)

    def _fields(self, alarm_id: str, command: str, **more: Any) -> dict[str, Any]:
        return {
            "command_id": str(UUID(int=self._rng.getrandbits(128))),
            "alarm_id": alarm_id,
            "command": command,
            "user": "li.wei",
            "role": "operator",
            "comment": "seen, 炉 3",
            "issued_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        } | more


def _record(alarm_id: str, fields: Mapping[str, Any], codes: str) -> InputRecord:
    headers = (*_HEADERS, (CODES, codes.encode()))
    value = json.dumps(fields).encode()
    at_ms = time.time_ns() // 1_000_000
    return InputRecord(Topic.ALARM_COMMANDS, alarm_id.encode(), value, headers, at_ms)
