"""Three brokers; the one that leads what the workers need most is killed and comes back."""

import random
import time
from typing import Final

from kafka import KafkaAdminClient
from meltwatch_local_cluster.servers import KafkaCluster
from meltwatch_schemas.topics import Topic

from tests.chaos.report import Report
from tests.chaos.site import PATIENCE_S
from tests.chaos.stage import Stage
from tests.support.waiting import until

NAME: Final = "leader"
# As the servers of ``meltwatch_local_cluster`` are set up.
_OFFSETS_PARTITIONS: Final = 4


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Kill a leader, wait, bring it back; turn by turn that of scores, of input, of the group."""
    rng = random.Random(seed)
    cluster = stage.cluster
    with stage.site(kafka=cluster) as site:
        group = f"{site.prefix}.stream-processor"
        led = [
            (Topic.SCORES.under(site.prefix), 0),
            (Topic.EMBEDDINGS.under(site.prefix), 0),
            ("__consumer_offsets", _offsets_partition(group)),
            (Topic.CURRENTS.under(site.prefix), 1),
        ]
        site.send_load(seed)
        site.worker(session_timeout_s=stage.session_s)
        site.wait_more()
        for number in range(rounds):
            site.wait_more(rng.randrange(1, 20))
            victim = cluster.brokers[_leader(cluster, *led[number % len(led)])]
            site.fault(f"leader of {led[number % len(led)][0].removeprefix(site.prefix)} killed")
            victim.kill()
            # It comes back before others have taken its place, or after.
            time.sleep(rng.uniform(0.0, 6.0))
            victim.start()
            victim.wait_ready()
            _wait_until_in_sync(cluster, site.prefix)
        site.wait_more()
        return site.finish(NAME, rounds)


def _leader(cluster: KafkaCluster, topic: str, partition: int) -> int:
    """The broker that leads a partition."""
    with KafkaAdminClient(bootstrap_servers=cluster.address.split(",")) as admin:
        (found,) = admin.describe_topics([topic])
    leaders = {each["partition_index"]: each["leader_id"] for each in found["partitions"]}
    return int(leaders[partition])


def _offsets_partition(group: str) -> int:
    """The partition of Kafka's offsets topic whose leader coordinates a group: Java's hash."""
    code = 0
    for character in group:
        code = (31 * code + ord(character)) & 0xFFFFFFFF
    return (code & 0x7FFFFFFF) % _OFFSETS_PARTITIONS


def _wait_until_in_sync(cluster: KafkaCluster, prefix: str) -> None:
    """Wait until every partition has all its replicas, so that the next one may die."""
    with KafkaAdminClient(bootstrap_servers=cluster.address.split(",")) as admin:

        def are_in_sync() -> bool:
            return all(
                len(partition["isr_nodes"]) == len(partition["replica_nodes"])
                for topic in admin.describe_topics()
                for partition in topic["partitions"]
            )

        until(are_in_sync, f"{prefix}: replicas are still behind", PATIENCE_S, every_s=0.2)
