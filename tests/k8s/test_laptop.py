"""The laptop overlay at work on a real cluster: a story, told in this order."""

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from tests.k8s.cluster import (
    forwarded,
    kubectl,
    pods,
    replaced,
    run,
    say,
    wait_for,
)
from tests.k8s.conftest import PREFIX, Laptop
from tests.k8s.story import (
    judge_every_window,
    longest_silences,
    rotation,
    until_the_self_test_has_passed,
)
from tests.support.manifests import next_release, version

if TYPE_CHECKING:
    from tests.chaos.tape import Reader

pytestmark = [
    pytest.mark.k8s,
]
# Of one furnace, whichever pod is away: the session time-out, a takeover, a slow machine.
LONGEST_SILENCE_S = 30


def test_the_self_test_passes(laptop: Laptop):
    until_the_self_test_has_passed(laptop)


def test_the_next_release_is_applied_over_this_one(laptop: Laptop, tmp_path: Path):
    overlay = next_release(tmp_path) / "overlays/laptop"
    done = run("apply", "--dry-run=server", "-k", str(overlay))
    assert done.returncode == 0, done.stderr
    assert "job.batch/selftest-9-9-9 created" in done.stdout
    for file in overlay.parents[1].rglob("job.yaml"):
        file.write_text(file.read_text().replace("9-9-9", version().replace(".", "-")))
    assert "field is immutable" in run("apply", "--dry-run=server", "-k", str(overlay)).stderr


def test_the_first_score_came_soon(laptop: Laptop, reader: "Reader"):
    scores = wait_for("the first score", lambda: reader.tape().scores or None, 300)
    first_ns = min(score.published for score in scores)
    say(f"from apply to the first score: {(first_ns - laptop.applied_ns) / 1e9:.0f} s")
    assert first_ns > laptop.applied_ns


def test_the_alarm_is_on_the_topic_and_in_redis(kafka: str):
    journal = alarm_records(kafka)
    raised = {
        record["alarm_id"]
        for record in journal
        if record["alarm_id"].startswith("selftest/") and record["state"] == "UNACK"
    }
    assert raised, "expected an alarm of the self-test's furnace"

    def differences() -> list[str] | None:
        newest = {record["alarm_id"]: record for record in alarm_records(kafka)}
        with forwarded("svc/redis", 6379) as address:
            view = redis.Redis.from_url(f"redis://{address}/0", decode_responses=True)
            shown = {
                name: json.loads(view.hget(f"{PREFIX}:alarm:{name}", "record") or "null")
                for name in newest
            }
            view.close()
        return None if shown != newest else []

    assert wait_for("Redis to show what the topic says", differences, 60) == []


def test_whoever_comes_may_look_by_opc_ua(laptop: Laptop):
    from asyncua import Client, ua  # noqa: PLC0415 - only here

    async def link_state(address: str) -> str:
        async with Client(f"opc.tcp://{address}/meltwatch", timeout=30) as client:
            return await client.get_node(ua.NodeId("LinkState", 2)).read_value()

    wait = ("rollout", "status", "deployment/scada-adapter", "--timeout=300s")
    kubectl(*wait, timeout_s=310)
    with forwarded("svc/opcua", 4840) as address:
        assert asyncio.run(link_state(address)) == "live"


def alarm_records(kafka: str) -> list[dict]:
    from kafka import KafkaConsumer, TopicPartition  # noqa: PLC0415

    partition = TopicPartition(f"{PREFIX}.alarms.v1", 0)
    consumer = KafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed")
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end, found = consumer.end_offsets([partition])[partition], []
    while consumer.position(partition) < end:
        for records in consumer.poll(500).values():
            found += [json.loads(record.value) for record in records if record.value]
    consumer.close()
    return found


@pytest.mark.parametrize("pod", ["stream-processor-0", "triton-0"])
def test_scoring_goes_on_when_a_pod_is_deleted(reader: "Reader", pod: str):
    old = pods()[pod]["metadata"]["uid"]
    deleted_s, deleted_ns = time.monotonic(), time.time_ns()
    say(f"kubectl delete pod {pod}")
    kubectl("delete", "pod", pod)
    ready_s = wait_for(f"another {pod}", lambda: replaced(pod, old), 240)
    say(f"{ready_s - deleted_s:4.0f} s  another {pod} is ready")
    wait_for("both Tritons in the rotation", rotation, 180)
    say(f"{time.monotonic() - deleted_s:4.0f} s  both Tritons in the rotation of every worker")
    since_ns = time.time_ns()

    def everybody_is_scored_again() -> bool | None:
        newest = {score.furnace: score.end for score in reader.tape().scores}
        demo = [end for furnace, end in newest.items() if furnace.startswith("demo/")]
        return min(demo) > since_ns or None

    wait_for("scores of every furnace", everybody_is_scored_again, 120)
    silences_s = longest_silences(reader, deleted_ns)
    for furnace, silence_s in silences_s.items():
        say(f"longest silence between scores of {furnace}: {silence_s:.1f} s")
    assert max(silences_s.values()) < LONGEST_SILENCE_S


def test_every_window_number_is_accounted_for(reader: "Reader"):
    judge_every_window(reader)
