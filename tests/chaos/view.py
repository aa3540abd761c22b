"""Redis against the alarms topic: the view must show what stands there, all of it and no more."""

import json
import time
from collections.abc import Iterator
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from tests.chaos.tape import Reader, Tape

_LIMIT_S: Final = 60.0


def wrong_view(address: str, prefix: str, reader: Reader, *, forged: bool = False) -> list[str]:
    """Give the view time to equal the topic; say how it does not.

    Where alarms were forged, its journal tells of forgeries, and not of what came below them.
    """
    deadline_s = time.monotonic() + _LIMIT_S
    while wrong := _differences_now(address, prefix, reader.tape(), forged=forged):
        if time.monotonic() > deadline_s:
            return wrong
        time.sleep(0.5)
    return []


def _differences_now(address: str, prefix: str, tape: Tape, *, forged: bool) -> list[str]:
    try:
        with Redis.from_url(address, decode_responses=True) as client:
            wrong = list(_differences(client, prefix, tape))
            wrong += [] if forged else _wrong_journal(client, prefix, tape)
            return [f"view: {line}" for line in wrong]
    except RedisError as error:
        return [f"view: {error}"]


def _differences(client: Any, prefix: str, tape: Tape) -> Iterator[str]:
    newest = {message.key: message.fields for message in tape.alarms}
    keys = {f"{prefix}:alarm:{alarm_id}" for alarm_id in newest}
    if keys != (found := set(client.scan_iter(f"{prefix}:alarm:*"))):
        yield f"alarms that differ: {sorted(keys ^ found)}"
    for alarm_id, fields in newest.items():
        stored = client.hgetall(f"{prefix}:alarm:{alarm_id}")
        if json.loads(stored.get("record", "null")) != fields:
            yield f"{alarm_id}: expected {fields['transition']}, got {stored.get('record')}"
    lists = {
        "active": {a for a, f in newest.items() if f["active"]},
        "unacked": {a for a, f in newest.items() if f["state"] in ("UNACK", "RTNUN", "LATUN")},
    }
    found_lists = {
        "active": set(client.zrange(f"{prefix}:active", 0, -1)),
        "unacked": client.smembers(f"{prefix}:unacked"),
    }
    if lists != found_lists:
        yield f"expected {lists}, got {found_lists}"


def _wrong_journal(client: Any, prefix: str, tape: Tape) -> Iterator[str]:
    journal = [json.loads(entry["record"]) for _, entry in client.xrange(f"{prefix}:journal")]
    if journal != [message.fields for message in tape.alarms]:
        yield f"journal: expected {len(tape.alarms)} records in their order, got {len(journal)}"
