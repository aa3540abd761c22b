"""The promise of the README, kept on real servers. All furnaces here are simulated."""

import json
import os
import re
import signal
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing

import pytest
import redis
from kafka import KafkaConsumer, TopicPartition

from tests.e2e.live_page import a_browser_sees_the_run, a_program_sees_the_run
from tests.support.product import RunningProduct
from tests.support.prometheus import every_panel_shows_something, health_pages, scraping
from tests.support.subscriber import Subscriber

LIST = ("alarms", "list")
LISTED = (0, 1, 3)
"""Exit codes of a list: all furnaces watched, some blind, or itself stale."""
pytestmark = [pytest.mark.e2e]


def alarms_by_any_consumer(kafka: str, topic: str) -> dict[str, dict]:
    """Fold the alarms topic as a stranger would: the last record of each key."""
    consumer = KafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed")
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    alarms = {}
    while consumer.position(partition) < end:
        for records in consumer.poll(500).values():
            alarms |= {record.key.decode(): json.loads(record.value) for record in records}
    consumer.close()
    return alarms


def traces_of(kafka: str, topic: str) -> set[str]:
    """Return the ids of the traces that the newest records of a topic belong to."""
    with closing(
        KafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed")
    ) as reader:
        parts = [TopicPartition(topic, n) for n in sorted(reader.partitions_for_topic(topic))]
        reader.assign(parts)
        reader.seek_to_beginning()
        ends = reader.end_offsets(parts)
        headers = []
        while any(reader.position(part) < end for part, end in ends.items()):
            headers += [each.headers for got in reader.poll(500).values() for each in got]
    found = [dict(each).get("traceparent", b"").decode() for each in headers]
    return {traceparent.split("-")[1] for traceparent in found if traceparent}


def alarm_list(run: RunningProduct) -> list[dict]:
    found: list[dict] = run.json(*LIST, codes=LISTED)
    return found


def standing(alarms: dict[str, dict]) -> dict[str, str]:
    return {key: record["event_id"] for key, record in alarms.items() if record["retain"]}


def test_every_injected_fault_raises_and_nothing_else_does(tmp_path):
    with (
        RunningProduct(tmp_path, "--duration", "150", tracing="true") as run,
        ExitStack() as watching,
    ):
        status = run.wait_ready()
        plant = watching.enter_context(scraping(tmp_path / "prometheus", health_pages(status)))
        a_browser_sees_the_run(run, status)

        def first_alarm():
            return alarm_list(run) or None

        listed = {
            record["alarm_id"]: record["event_id"] for record in run.wait_until(first_alarm, 120)
        }
        a_program_sees_the_run(run)
        prefix = status["topic_prefix"]

        def alike() -> dict[str, dict] | None:
            # Read one after the other: an alarm may come between.
            in_view = in_redis(status)
            in_kafka = alarms_by_any_consumer(status["kafka"], f"{prefix}.alarms.v1")
            assert listed.keys() <= in_view.keys() <= in_kafka.keys()
            return in_kafka if standing(in_view).keys() == standing(in_kafka).keys() else None

        in_kafka = run.wait_until(alike, 60)
        judged = [record for record in in_kafka.values() if record["class"] == "process"]
        traces = {record["traceparent"].split("-")[1] for record in judged}
        assert traces
        assert traces <= traces_of(status["kafka"], f"{prefix}.embeddings.v1") | traces_of(
            status["kafka"], f"{prefix}.currents.v1"
        ), "from the frame to the alarm"
        with Subscriber(status["kafka"], prefix) as subscriber:
            subscriber.until(
                lambda it: it.alarms == run.json("alarms", "list", codes=LISTED), "one list"
            )

        if plant is not None:
            every_panel_shows_something(plant)
            assert plant.firing() == set(), "nothing is wrong"
        watching.close()
        assert run.finish(240) == 0, run.output()[-3000:]
        summary = run.summary()

    assert len(summary["faults"]) >= 3
    assert len({fault["furnace_id"] for fault in summary["faults"]}) >= 2
    assert all(fault["detected"] for fault in summary["faults"])
    assert summary["false_alarms"] == 0
    windows = summary["windows"]
    assert windows["scored"] >= 0.95 * (sum(windows.values()) - windows["skipped"])
    assert summary["dead_letters"] == 0
    assert not (tmp_path / "state" / "run.json").exists()


@pytest.mark.long
def test_triton_away_costs_no_verdict_and_silence_of_the_producers_is_told(tmp_path):
    with RunningProduct(tmp_path, "--seed", "3") as run:
        status = run.wait_ready()
        run.wait_until(lambda: windows_of(run.output())["scored"] or None, 60)
        triton = status["services"]["triton"]["pid"]
        os.kill(triton, signal.SIGSTOP)
        frozen_at = time.monotonic()
        try:
            run.wait_until(lambda: "the scorer has not answered" in run.output() or None, 30)
        finally:
            time.sleep(max(0.0, frozen_at + 20 - time.monotonic()))
            os.kill(triton, signal.SIGCONT)
        # As many as a minute has, for two furnaces.
        run.wait_until(lambda: windows_of(run.output())["scored"] >= 84 or None, 150)
        windows = windows_of(run.output())
        assert windows["unscored"] == 0
        assert windows["scored"] >= 0.95 * (windows["scored"] + windows["degraded"])
        silence_is_told_and_taken_back(run, status)


def windows_of(output: str) -> dict[str, int]:
    """Return the newest count of windows by status that a run has printed."""
    told = re.findall(r"windows (\d+) scored, (\d+) degraded, (\d+) unscored", output)
    counts = map(int, told[-1]) if told else (0, 0, 0)
    return dict(zip(("scored", "degraded", "unscored"), counts, strict=True))


def silence_is_told_and_taken_back(run: RunningProduct, status: dict) -> None:
    """Freeze both producers: on the topic, in Redis and in the list within 30 s, until thawed."""
    producers = [status["services"][f"{kind}_producer"]["pid"] for kind in ("video", "current")]
    furnaces = {f"demo/smelting-1/FMF-0{number}/FURNACE_SILENT" for number in (1, 2)}
    for pid in producers:
        os.kill(pid, signal.SIGSTOP)
    try:
        # Within 30 s on a machine with nothing else to do.
        run.wait_until(lambda: silent_in(alarm_list(run)) >= furnaces or None, 90)
        # The next heartbeat says so, too.
        run.wait_until(lambda: run.command(*LIST).returncode == 1 or None, 60)
        run.wait_until(lambda: "2 BLIND" in run.command("status").stdout or None, 60)
        # A window that was held up may end the silence once more: each is asked until it says so.
        alarms = f"{status['topic_prefix']}.alarms.v1"
        for told in (
            lambda: alarms_by_any_consumer(status["kafka"], alarms),
            lambda: in_redis(status),
        ):
            run.wait_until(lambda told=told: silent_in(told().values()) >= furnaces or None, 60)
    finally:
        for pid in producers:
            os.kill(pid, signal.SIGCONT)
    run.wait_until(lambda: not silent_in(alarm_list(run)) or None, 120)
    run.wait_until(lambda: run.command(*LIST).returncode == 0 or None, 120)


def silent_in(alarms: Iterable[dict]) -> set[str]:
    ids = {record["alarm_id"] for record in alarms if record["active"]}
    return {alarm_id for alarm_id in ids if alarm_id.endswith("/FURNACE_SILENT")}


def in_redis(status: dict) -> dict[str, dict]:
    """Return the alarms of the view."""
    prefix = f"{status['topic_prefix']}:alarm:"
    with redis.Redis.from_url(status["redis"], decode_responses=True) as view:
        return {
            key.removeprefix(prefix): json.loads(view.hget(key, "record"))
            for key in view.scan_iter(f"{prefix}*")
        }
