"""A backup that is older than what a topic keeps: its records may go as soon as they came."""

import os
import subprocess
from pathlib import Path

import pytest
from meltwatch_chassis.kafka.admin import Replication, create_topics
from meltwatch_cli.domain.state_copy import STATE
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.topics import catalogue

from tests.support.product import MELTWATCH
from tests.support.state_topics import PREFIX, StateInMemory, state_record, write_backup

pytestmark = pytest.mark.integration
# A real broker looks every five minutes. This one takes records while a restore reads them back.
AT_ONCE = {"log.retention.check.interval.ms": "20", "log.initial.task.delay.ms": "100"}


def test_it_is_restored_as_well(tmp_path: Path) -> None:
    write_backup(
        StateInMemory({topic: [state_record(topic, 0)] for topic in STATE}), tmp_path / "kept"
    )
    with KafkaServer(tmp_path / "kafka", settings=AT_ONCE) as kafka:
        create_topics(
            {"bootstrap_servers": kafka.address}, catalogue(PREFIX, partitions=1), Replication(1)
        )
        done = subprocess.run(
            [MELTWATCH, "restore", tmp_path / "kept"],
            env=os.environ | {"MELTWATCH_KAFKA": kafka.address, "MELTWATCH_TOPIC_PREFIX": PREFIX},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 of alarm-commands" in done.stdout
