"""Redis against the topics: the view must show what stands there, all of it and no more.

``active`` holds every alarm whose condition holds, in the words of the contract: suppression lies
above that fact and changes the state alone, so a masked alarm is active and not unacknowledged.
Shadow alarms are for the journal alone.
"""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from tests.chaos.alarm_verdict import newest_records, us
from tests.chaos.tape import Reader, Tape

_LIMIT_S: Final = 180.0
_UNACKED: Final = ("UNACK", "RTNUN", "LATUN")


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
    newest = newest_records(tape.alarms)
    keys = {f"{prefix}:alarm:{alarm_id}" for alarm_id in newest}
    if keys != (found := set(client.scan_iter(f"{prefix}:alarm:*"))):
        yield f"alarms that differ: {sorted(keys ^ found)}"
    for alarm_id, fields in newest.items():
        stored = client.hgetall(f"{prefix}:alarm:{alarm_id}")
        shown = {name: stored.get(name) for name in ("epoch", "seq", "state", "priority")}
        if shown != {name: str(fields[name]) for name in shown}:
            yield f"{alarm_id}: expected {fields['epoch'], fields['seq']}, got {shown}"
        if json.loads(stored.get("record", "null")) != fields:
            yield f"{alarm_id}: expected {fields['transition']}, got {stored.get('record')}"
    found_lists = {
        "active": dict(client.zrange(f"{prefix}:active", 0, -1, withscores=True)),
        "unacked": client.smembers(f"{prefix}:unacked"),
        "shelved": dict(client.zrange(f"{prefix}:shelved", 0, -1, withscores=True)),
    }
    if (lists := expected_lists(newest)) != found_lists:
        yield f"expected {lists}, got {found_lists}"
    ends: dict[str, int] = {}
    for score in tape.scores:
        ends[score.furnace] = max(score.end, ends.get(score.furnace, 0))
    if ends.keys() != (seen := client.smembers(f"{prefix}:furnaces")):
        yield f"furnaces that differ: {sorted(ends.keys() ^ seen)}"
    for furnace, end in ends.items():
        told = client.hget(f"{prefix}:furnace:{furnace}", "window_end")
        if told is None or us(told) != end // 1000:
            yield f"{furnace}: expected the window at {end} ns, got {told}"


def expected_lists(newest: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the lists of alarms, by what the newest record of each says."""
    shown = {alarm_id: each for alarm_id, each in newest.items() if each["mode"] != "shadow"}
    return {
        "active": {
            alarm_id: us(each["raise_time"]) // 1000
            for alarm_id, each in shown.items()
            if each["active"]
        },
        "unacked": {alarm_id for alarm_id, each in shown.items() if each["state"] in _UNACKED},
        "shelved": {
            alarm_id: us(each["shelve"]["until"]) // 1000
            for alarm_id, each in newest.items()
            if each["shelve"]
        },
    }


def _wrong_journal(client: Any, prefix: str, tape: Tape) -> Iterator[str]:
    journal = [json.loads(entry["record"]) for _, entry in client.xrange(f"{prefix}:journal")]
    if journal != [message.fields for message in tape.alarms]:
        yield f"journal: expected {len(tape.alarms)} records in their order, got {len(journal)}"
