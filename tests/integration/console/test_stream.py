"""What comes over the stream, without a page: to who reads slowly, and from who writes badly."""

import asyncio
import random
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka import KafkaProducer
from meltwatch_chassis.clock import SystemClock
from meltwatch_schemas.errors import Refusal
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS

from tests.integration.console.listener import Listener, stamp
from tests.integration.console.scene import FURNACES, Scene
from tests.support.waiting import LIMIT_S, until

pytestmark = pytest.mark.integration
LOOKS = 40
FULL, FLOOD = 600, 2_200
"""Records of some 19 kB, as they are and packed: more than sockets hold, more than the log does."""
SLACK_S = 0.3
"""Of a busy machine: both rounds take a fraction of it on an idle one."""


@pytest.fixture(scope="module")
def scene(kafka, tmp_path_factory) -> Iterator[Scene]:
    with Scene(kafka, tmp_path_factory.mktemp("scene"), None) as made:
        yield made


async def worst_delay(scene: Scene, listeners: list[Listener]) -> float:
    """Return how long an alarm takes to all of them, at the 99th percentile."""
    for each in listeners:
        each.late.clear()
    for _ in range(LOOKS):
        await asyncio.to_thread(scene.forge.raised, f"{FURNACES[0]}/STAMPED", title=stamp())
        await asyncio.sleep(0.02)
    for each in listeners:
        await each.until(lambda each=each: len(each.late) == LOOKS)
    delays = sorted(delay for each in listeners for _, delay in each.late)
    return delays[int(0.99 * len(delays))]


def flood(scene: Scene, records: int) -> str:
    """Write large records of one alarm; return the last event."""
    dice = random.Random(5)
    texts = [b64encode(dice.randbytes(1_480)).decode() for _ in range(5)]
    told = {
        "title": texts[0], "message": texts[1],
        "guidance": {"consequence": texts[2], "action": texts[3], "url": texts[4],
                     "time_to_respond_s": 300},
    }  # fmt: skip
    for _ in range(records):
        last = scene.forge.raised(f"{FURNACES[1]}/FLOOD", **told)
    scene.forge.flush()
    return last.event_id


async def test_who_reads_nothing_delays_no_other_and_is_right_after_one_whole_picture(scene):
    others, slow = [Listener()], Listener(window_bytes=1 << 16)
    works = [asyncio.create_task(each.follow(scene.console.url)) for each in (*others, slow)]
    async with asyncio.timeout(LIMIT_S):
        for each in (*others, slow):
            await each.until(lambda each=each: each.snapshots == 1)
        without = await worst_delay(scene, others)
        slow.may_read.clear()
        # Once no socket takes any more of it, what the slow one lacks leaves the log, in one go.
        for records in (FULL, FLOOD):
            last = await asyncio.to_thread(flood, scene, records)
            for each in others:
                await each.until(lambda each=each, last=last: last in each.standing.values())
        beside = await worst_delay(scene, others)
        slow.may_read.set()
        await slow.until(lambda: slow.standing == others[0].standing)
    for work in works:
        assert not work.done(), work.result()
        work.cancel()

    assert slow.snapshots == 2, "what it lacked had left the log"
    assert [each.snapshots for each in others] == [1], "who reads has missed nothing"
    assert beside <= 1.5 * without + SLACK_S, (without, beside)


def refused(scene: Scene) -> dict[tuple[str, str], float]:
    """Return how many records the console says it has left out, by topic and reason."""
    pattern = r'^meltwatch_console_refused_total\{reason="(\w+)",topic="([\w-]+)"\} (\S+)$'
    found = re.findall(pattern, scene.console.probe("/metrics")[1], re.MULTILINE)
    return {(topic, reason): float(count) for reason, topic, count in found}


def test_what_is_no_record_is_counted_by_topic_and_reason_and_nothing_else_happens(scene):
    furnace, at_ms = FURNACES[2], SystemClock().now_ns() // NS_PER_MS
    read = ("alarms", "alarm-points", "heartbeats", "alarm-results", "scores")
    places = {}
    with closing(KafkaProducer(bootstrap_servers=scene.kafka.address)) as producer:
        for topic in (*read, "embeddings", "currents"):
            name = scene.topics.name(Topic(topic))
            sent = producer.send(name, key=furnace.encode(), value=b"{", timestamp_ms=at_ms)
            places[topic] = sent.get(LIMIT_S)
    of_furnace = f"api/v1/furnaces/{furnace}"
    frame = places["embeddings"]
    status, _ = scene.console.ask(f"{of_furnace}/frames/{frame.partition}-{frame.offset}.png")
    assert status == 404
    span = f"since={at_ms - 1_000}&until={at_ms + 1_000}"
    assert scene.console.ask(f"{of_furnace}/currents?{span}")[0] == 200

    wanted = {(topic, Refusal.UNKNOWN_SCHEMA.value): 1 for topic in places}
    until(lambda: refused(scene) == wanted, lambda: refused(scene))
    scene.forge.raised(f"{furnace}/OVERHEAT")
    until(lambda: scene.console.ask(f"api/v1/alarms/{furnace}/OVERHEAT")[0] == 200, "it goes on")
    lines = scene.console.log_lines("record_refused")
    assert len(lines) == len(places), "a line each"
