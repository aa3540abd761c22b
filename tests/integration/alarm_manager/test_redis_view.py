"""The view's scripts on a real Redis: each change whole, guarded, and in any order the same."""

import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from meltwatch_alarm_manager.adapters.redis_view import RedisView
from meltwatch_alarm_manager.ports import AlarmChange, FurnaceChange
from meltwatch_chassis.errors import ConfigurationError, TransientError
from meltwatch_chassis.testing import ManualClock
from meltwatch_local_cluster.servers import RedisServer
from meltwatch_local_cluster.servers.addresses import free_ports
from meltwatch_local_cluster.servers.child import ChildCommand
from meltwatch_schemas import default_points as points
from meltwatch_schemas.alarm import AlarmRecord, Mode
from meltwatch_schemas.window import NS_PER_S
from redis.asyncio import Redis

from tests.integration.alarm_manager.bench import view_of
from tests.unit.core.alarms.samples import FURNACE, point, score, window_end
from tests.unit.core.alarms.topic_log import TopicLog

pytestmark = pytest.mark.integration
PREFIX = "view"
NOW_NS = window_end(9)
Changes = list[AlarmChange | FurnaceChange]


def alarm_changes(*furnace_ids: str, mode: Mode = Mode.ALARM) -> Changes:
    """Return the changes of alarms that are raised and cleared."""
    log = TopicLog(points={name: (point(name, mode=mode),) for name in furnace_ids})
    numbers = [(n, 6.0) for n in range(4)] + [(n, -6.0) for n in range(4, 11)]
    log.judge([score(n, logit, name) for n, logit in numbers for name in furnace_ids])
    return [as_change(record, offset) for offset, record in enumerate(log.alarms())]


def as_change(record: AlarmRecord, offset: int) -> AlarmChange:
    return AlarmChange(record.alarm_id, record, record.to_json(), offset)


def furnace_changes(*numbers: int) -> Changes:
    return [FurnaceChange(score(number, float(number)), unregistered=True) for number in numbers]


async def with_view(address: str, act: Callable[[RedisView], Awaitable[Any]]) -> Any:
    client = Redis.from_url(address)
    async with RedisView(client, PREFIX, ManualClock(NOW_NS)) as made:
        await made.open(1_000)
        return await act(made)


async def apply(address: str, changes: Changes) -> None:
    await with_view(address, lambda made: made.apply(changes))


def in_topic(alarms: Sequence[AlarmChange]) -> list[AlarmChange]:
    """Return changes as they stand in a topic that holds them in this order."""
    return [replace(change, offset=offset) for offset, change in enumerate(alarms)]


async def test_any_order_with_any_duplicates_gives_the_same_lists(redis_server, view):
    alarms, furnaces = alarm_changes("a/F1", "a/F2"), furnace_changes(1, 2, 3)
    await apply(redis_server.address, [*alarms, *furnaces])
    expected = view_of(view, PREFIX)
    assert len(expected["journal"]) == 4
    assert expected["meta"] == {"epoch": "1", "offset": "4"}
    rng = random.Random(3)
    for _ in range(20):
        view.flushall()
        shuffled = [*alarms, *rng.choices(alarms, k=5)]
        rng.shuffle(shuffled)
        changes = [*in_topic(shuffled), *rng.sample(furnaces, k=3)]
        await apply(redis_server.address, changes)
        again = view_of(view, PREFIX)
        for passing in ("journal", "meta"):
            del again[passing]
        assert again == {name: expected[name] for name in again}


async def test_projectors_that_overtake_each_other_leave_what_one_would(redis_server, view):
    """One that was frozen, or got no answer, applies again what another has applied before."""
    raised, cleared = alarm_changes("a/F1")
    gone = AlarmChange(raised.alarm_id, None, b"", 0)
    told = in_topic([raised, gone, raised, cleared, gone, raised, gone])
    await apply(redis_server.address, told)
    expected = view_of(view, PREFIX)
    assert (expected["hashes"], len(expected["journal"])) == ({}, 4)
    rng = random.Random(5)
    for _ in range(20):
        view.flushall()
        places = [0, 0]
        while min(places) < len(told):
            one = rng.randrange(2)
            end = places[one] + rng.randint(1, 3)
            await apply(redis_server.address, told[places[one] : end])
            places[one] = end
        assert view_of(view, PREFIX) == expected


async def test_duplicates_in_order_leave_the_journal_as_it_is(redis_server, view):
    changes = alarm_changes("a/F1", "a/F2")
    doubled = [change for pair in zip(changes, changes, strict=True) for change in pair]
    await apply(redis_server.address, doubled + changes)
    assert len(view_of(view, PREFIX)["journal"]) == len(changes)


async def test_lists_follow_the_alarm(redis_server, view):
    raised, cleared = alarm_changes("a/F1")
    await apply(redis_server.address, [raised])
    shown = view_of(view, PREFIX)
    raise_ns = window_end(0, "a/F1") + round(points.DEFAULT_SETPOINT.on_delay_s * NS_PER_S)
    raise_ms = raise_ns // 1_000_000
    assert shown["active"] == [("a/F1/OVERHEAT", raise_ms)]
    assert shown["unacked"] == {"a/F1/OVERHEAT"}
    await apply(redis_server.address, [cleared])
    shown = view_of(view, PREFIX)
    assert (shown["active"], shown["unacked"]) == ([], {"a/F1/OVERHEAT"})


async def test_a_shadow_alarm_is_in_the_journal_and_on_no_list(redis_server, view):
    await apply(redis_server.address, alarm_changes("a/F1", mode=Mode.SHADOW)[:1])
    shown = view_of(view, PREFIX)
    assert (shown["active"], shown["unacked"], len(shown["journal"])) == ([], set(), 1)


async def test_a_tombstone_removes_the_alarm(redis_server, view):
    changes = alarm_changes("a/F1")
    await apply(redis_server.address, [*changes, AlarmChange("a/F1/OVERHEAT", None, b"", 9)])
    shown = view_of(view, PREFIX)
    assert (shown["hashes"], shown["unacked"]) == ({}, set())
    await apply(redis_server.address, [AlarmChange("a/F2/OVERHEAT", None, b"", 3)])
    assert view_of(view, PREFIX)["meta"]["offset"] == "10"


async def test_each_change_is_hinted_at(redis_server, view):
    listener = view.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(f"{PREFIX}:changes")
    changes = alarm_changes("a/F1")
    await apply(redis_server.address, [*changes, *changes, *furnace_changes(1)])
    view.publish(f"{PREFIX}:changes", "the end")
    heard: list[str] = []
    while "the end" not in heard:
        hint = listener.get_message(timeout=0.5)  # None for the word that it listens
        heard += [hint["data"]] if hint else []
    listener.close()
    assert heard == ["a/F1/OVERHEAT", "a/F1/OVERHEAT", "the end"]


async def test_a_view_that_has_vanished_is_not_written_to(redis_server, view):
    async def vanish(made: RedisView) -> bool:
        view.flushall()
        return await made.apply([*alarm_changes("a/F1"), *furnace_changes(1)])

    assert await with_view(redis_server.address, vanish) is False
    assert list(view.scan_iter("*")) == []


async def test_a_view_is_gone_on_with_where_it_stands(redis_server):
    await apply(redis_server.address, alarm_changes("a/F1"))
    assert await with_view(redis_server.address, lambda made: made.open(2)) == 2


async def test_a_view_of_a_topic_that_is_no_more_is_made_anew(redis_server, view):
    await apply(redis_server.address, [*alarm_changes("a/F1"), *furnace_changes(1)])
    view.set("other", "stays")
    assert await with_view(redis_server.address, lambda made: made.open(1)) == 0
    assert sorted(view.scan_iter("*")) == ["other", f"{PREFIX}:meta"]


async def test_the_newest_window_of_a_furnace_wins_in_any_order(redis_server, view):
    for order in itertools.permutations((1, 2, 3)):
        view.flushall()
        await apply(redis_server.address, furnace_changes(*order))
        assert view.hget(f"{PREFIX}:furnace:{FURNACE}", "logit") == "3.0"


async def test_a_window_that_nobody_can_have_seen_gives_way(redis_server, view):
    """Version 0.1 showed whatever stood on the topic."""
    await apply(redis_server.address, furnace_changes(1))
    view.hset(f"{PREFIX}:furnace:{FURNACE}", "window_end", "2262-04-11T23:47:16.854775Z")
    await apply(redis_server.address, furnace_changes(2))
    assert view.hget(f"{PREFIX}:furnace:{FURNACE}", "logit") == "2.0"


class ClusterServer(RedisServer):
    """A Redis that is a node of a cluster."""

    def _command(self) -> ChildCommand:
        command, (bus,) = super()._command(), free_ports(1)
        # Of itself it takes its own port plus 10,000, which somebody else may have.
        options = ["--cluster-enabled", "yes", "--cluster-port", str(bus)]
        return replace(command, argv=[*command.argv, *options])


async def test_a_redis_cluster_is_refused(tmp_path: Path):
    with (
        ClusterServer(tmp_path / "cluster") as server,
        pytest.raises(ConfigurationError, match="Redis Cluster"),
    ):
        await apply(server.address, [])


async def test_a_redis_that_is_away_is_a_passing_failure():
    with pytest.raises(TransientError, match="Redis"):
        await apply("redis://127.0.0.1:1/0", [])


@pytest.mark.parametrize("spoil", ["meta", "offset", "alarm", "active", "unacked", "journal"])
async def test_a_view_that_somebody_has_spoilt_is_made_anew(redis_server, view, spoil):
    changes = alarm_changes("a/F1")
    await apply(redis_server.address, changes[:1])
    key = {"offset": f"{PREFIX}:meta", "alarm": f"{PREFIX}:alarm:a/F1/OVERHEAT"}.get(
        spoil, f"{PREFIX}:{spoil}"
    )
    if spoil == "offset":
        view.hset(key, "offset", "nonsense")
    else:
        view.delete(key)
        view.set(key, "nonsense")

    async def begin_and_follow(made: RedisView) -> bool:
        await made.open(1_000)
        if await made.apply(changes):
            return True
        assert await made.open(1_000) == 0
        return await made.apply(changes)

    assert await with_view(redis_server.address, begin_and_follow)
    shown = view_of(view, PREFIX)
    assert (shown["unacked"], len(shown["journal"])) == ({"a/F1/OVERHEAT"}, len(changes))
