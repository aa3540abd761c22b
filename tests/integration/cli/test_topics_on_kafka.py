import json
import os
import secrets
import subprocess
import sys
from contextlib import closing

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from meltwatch_schemas.topics import catalogue

from tests.support.murmur2 import partition_of
from tests.support.waiting import LIMIT_S

pytestmark = pytest.mark.integration


@pytest.fixture
def prefix(kafka, monkeypatch):
    """A prefix under which nothing exists, told to the command by environment."""
    name = f"t{secrets.token_hex(4)}"
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", name)
    yield name
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        admin.delete_topics([spec.name for spec in catalogue(name, 2)])


def test_check_finds_what_create_makes(command, prefix):
    names = [spec.name for spec in catalogue(prefix, 2)]

    code, out, _ = command("topics", "check", "--partitions", "2", "--json")
    assert code == 1
    assert [line.partition(":")[0] for line in json.loads(out)["problems"]] == names

    code, out, _ = command("topics", "create", "--partitions", "2", "--json")
    assert (code, json.loads(out)) == (0, {"created": names})

    code, out, _ = command("topics", "check", "--partitions", "2")
    assert (code, out) == (0, f"all {len(names)} topics are as they should be\n")

    code, out, _ = command("topics", "create", "--partitions", "2")
    assert (code, out) == (0, f"{len(names)} of {len(names)} topics were there already\n")

    code, out, _ = command("topics", "check", "--partitions", "3")
    assert code == 1
    assert f"{prefix}.scores.v1: expected 3 partitions, got 2" in out


def test_check_names_furnaces_of_a_producer_with_another_partitioner(command, kafka, prefix):
    command("topics", "create", "--partitions", "2")
    key = b"hall/F1"
    wrong = 1 - partition_of(key, 2)
    with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
        producer.send(f"{prefix}.currents.v1", b"x", key, partition=1 - wrong)
        producer.send(f"{prefix}.embeddings.v1", b"x", key, partition=wrong).get(20)

    code, out, _ = command("topics", "check", "--partitions", "2")
    assert code == 1
    assert out.startswith(f"{prefix}.embeddings.v1: expected each furnace in the partition that ")
    assert f"got 1 elsewhere (hall/F1 in {wrong} instead of {1 - wrong})" in out
    assert out.count("\n") == 1


def test_wait_ends_when_every_topic_is_there(command, prefix):
    names = [spec.name for spec in catalogue(prefix, 2)]

    code, out, error = command("topics", "wait", "--for", "1")
    lack = f"lacks {len(names)} of {len(names)} topics, first {names[0]}"
    assert code == 3
    assert lack in out
    assert lack in error

    command("topics", "create", "--partitions", "2")
    code, out, _ = command("topics", "wait", "--for", "1")
    assert (code, out) == (0, "every topic is there\n")


@pytest.mark.parametrize(
    "arguments", [["check"], ["create", "--patience", "1"], ["wait", "--for", "1"]], ids=" ".join
)
def test_a_broker_that_is_not_there_is_exit_code_3_within_seconds(arguments):
    # In a process of its own: kafka-python leaves sockets to the garbage collector when it finds
    # no broker, which would fail some later test.
    done = subprocess.run(
        [sys.executable, "-m", "meltwatch_cli", "topics", *arguments],
        env=os.environ | {"MELTWATCH_KAFKA": "127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert (done.returncode, done.stdout) == (3, "")
    assert "127.0.0.1:9" in done.stderr
    assert done.stderr.count("\n") == 1
