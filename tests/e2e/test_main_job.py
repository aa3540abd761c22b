"""The promise of the README, kept on real servers. All furnaces here are simulated."""

import json
import os
import re
import signal
import time

import pytest
import redis
from kafka import KafkaConsumer, TopicPartition

from tests.support.product import RunningProduct
from tests.support.subscriber import Subscriber

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]


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


def standing(alarms: dict[str, dict]) -> dict[str, str]:
    return {key: record["event_id"] for key, record in alarms.items() if record["retain"]}


def test_every_injected_fault_raises_and_nothing_else_does(tmp_path):
    with RunningProduct(tmp_path, "--duration", "150") as run:
        status = run.wait_ready()

        def first_alarm():
            return run.json("alarms", "list") or None

        listed = {
            record["alarm_id"]: record["event_id"] for record in run.wait_until(first_alarm, 120)
        }
        view = redis.Redis.from_url(status["redis"], decode_responses=True)
        prefix = status["topic_prefix"]
        in_redis = {
            key.removeprefix(f"{prefix}:alarm:"): json.loads(view.hget(key, "record"))
            for key in view.scan_iter(f"{prefix}:alarm:*")
        }
        in_kafka = alarms_by_any_consumer(status["kafka"], f"{prefix}.alarms.v1")
        assert listed.keys() <= in_redis.keys() <= in_kafka.keys()
        assert standing(in_redis).keys() == standing(in_kafka).keys()
        view.close()
        with Subscriber(status["kafka"], prefix) as subscriber:
            subscriber.until(lambda it: it.alarms == run.json("alarms", "list"), "one list", 60)

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


def test_triton_away_for_20_s_costs_delay_and_no_verdict(tmp_path):
    with RunningProduct(tmp_path, "--duration", "75", "--seed", "3") as run:
        status = run.wait_ready()
        run.wait_until(lambda: some_windows_scored(run.output()), 60)
        triton = status["services"]["triton"]["pid"]
        os.kill(triton, signal.SIGSTOP)
        frozen_at = time.monotonic()
        try:
            run.wait_until(lambda: "the scorer has not answered" in run.output() or None, 30)
        finally:
            time.sleep(max(0.0, frozen_at + 20 - time.monotonic()))
            os.kill(triton, signal.SIGCONT)
        run.finish(150)
        windows = run.summary()["windows"]
    assert windows["unscored"] == 0
    assert windows["scored"] >= 0.95 * (windows["scored"] + windows["degraded"])
    # Two furnaces, one window each 1.44 s, less what the last seconds may still hold.
    assert windows["scored"] >= 2 * (75 - 10) / 1.44


def some_windows_scored(output: str) -> bool | None:
    counts = [int(count) for count in re.findall(r"windows (\d+) scored", output)]
    return True if any(counts) else None
