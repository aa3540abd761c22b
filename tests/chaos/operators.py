"""Operators and engineers who do all that may befall an alarm, send twice, and err.

Each command names its right answers. Those that rest on the alarm's state are judged later, by
what stood in the topic when the command may have been read.
"""

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
from tests.chaos.tape import BY_STATE, CODES, MARK
from tests.support.input_records import InputRecord

_HEADERS: Final = (("schema", b"alarm-command/1.0"), ("content-type", b"application/json"))
_OFTEN: Final = ("ack", "ack", "stale", "comment", "again", "wrong", "nothing")
_LIFE: Final[Mapping[str, Mapping[str, Any]]] = {
    "shelve": {"reason": "it chatters"},
    "unshelve": {},
    "suppress": {"reason": "the logic says so"},
    "unsuppress": {},
    "out_of_service": {"reason": "a new camera", "work_order": "WO 炉 3"},
    "in_service": {},
    "judge": {"cause": "welding"},
    "decommission": {"reason": "torn down"},
    "reset": {},
}
"""What may befall an alarm beside being acknowledged, and what is said about it."""
_ENDINGS: Final = {"SHLVD": "unshelve", "DSUPR": "unsuppress", "OOSRV": "in_service"}
_LONGEST_SHELVING_S: Final = 12


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
        self._states: dict[str, str] = {}
        self._sent: list[tuple[str, Mapping[str, Any]]] = []
        self._consumer = consumer
        part = TopicPartition(Topic.ALARMS.under(prefix), 0)
        consumer.assign([part])
        consumer.seek_to_beginning(part)

    def commands(self) -> Iterator[InputRecord]:
        """What they send now."""
        self._look()
        choice = self._rng.choice((*_OFTEN, *_LIFE, "ending", "ending"))
        if choice == "wrong":
            yield self._wrong()
        elif choice == "again":
            if self._sent:
                yield _record(*self._rng.choice(self._sent), "duplicate")
        elif choice in ("ack", "stale", "comment") and self._events:
            yield self._right(choice)
        elif choice in (*_LIFE, "ending"):
            yield from self._of_life(choice)

    def _look(self) -> None:
        for records in self._consumer.poll(timeout_ms=0).values():
            for record in records:
                if record.value is not None and MARK not in dict(record.headers):
                    fields, alarm_id = json.loads(record.value), record.key.decode()
                    self._events.setdefault(alarm_id, []).append(fields["event_id"])
                    self._states[alarm_id] = fields["state"]

    def _right(self, choice: str) -> InputRecord:
        alarm_id = self._rng.choice(list(self._events))
        events = self._events[alarm_id]
        event_id = {"ack": events[-1], "stale": events[0]}.get(choice)
        word = "comment" if choice == "comment" else "ack"
        fields = self._fields(alarm_id, word, expected_event_id=event_id)
        self._sent.append((alarm_id, fields))
        return _record(alarm_id, fields, BY_STATE)

    def _of_life(self, choice: str) -> Iterator[InputRecord]:
        """A command about one of the campaign's alarms; an ending, where there is one to end."""
        known = [point.alarm_id for point in POINTS if point.alarm_id in self._events]
        if choice == "ending":
            known = [each for each in known if self._states[each] in _ENDINGS]
        if not known:
            return
        alarm_id = self._rng.choice(known)
        word = _ENDINGS[self._states[alarm_id]] if choice == "ending" else choice
        fields = self._fields(
            alarm_id,
            word,
            expected_event_id=self._events[alarm_id][-1] if word == "reset" else None,
            role="engineer",
            arguments=_LIFE[word] | self._further(word),
        )
        self._sent.append((alarm_id, fields))
        yield _record(alarm_id, fields, BY_STATE)

    def _further(self, word: str) -> dict[str, Any]:
        if word == "judge":
            return {"verdict": self._rng.choice(("true_alarm", "false_alarm", "unclear"))}
        if word != "shelve":
            return {}
        one_shot, duration_s = self._rng.random() < 0.5, self._rng.uniform(1, _LONGEST_SHELVING_S)
        return {"one_shot": one_shot, "duration_s": duration_s}

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
        if self._rng.random() < 0.5:
            wrong["not_permitted"] = {"command": self._rng.choice(("suppress", "decommission"))}
            wrong["bad_arguments"] = {"command": "shelve", "arguments": {"duration_s": 1e6}}
        codes = self._rng.choice(list(wrong))
        reason = {"arguments": {"reason": "none of my business"}}
        fields = self._fields(alarm_id, "comment") | reason | wrong[codes]
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
