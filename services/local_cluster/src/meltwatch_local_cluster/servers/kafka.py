"""Kafka: Apache Kafka itself, one broker that is its own controller (KRaft)."""

import base64
import shlex
import socket
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from meltwatch_local_cluster.addresses import LOOPBACK, free_ports
from meltwatch_local_cluster.child import Command
from meltwatch_local_cluster.servers.java import java_program
from meltwatch_local_cluster.servers.kafka_jars import KAFKA_DISTRIBUTION, kafka_jars
from meltwatch_local_cluster.servers.server import Server, plain_environment

# One broker: everything that Kafka would replicate has one replica; few partitions in its own
# topics, because each is a folder of files that a laptop creates on the first use.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""
_JVM_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


class KafkaServer(Server):
    """One broker without topics; topics are created by name, never by use.

    Parameters
    ----------
    folder
        Data, configuration and temporary files.
    log
        Where the output goes; a file in the folder by default.
    """

    name: ClassVar[str] = "kafka"
    grace_s: ClassVar[float] = 10.0

    def __init__(self, folder: Path, log: Path | None = None) -> None:
        super().__init__(folder, log)
        self.port, self._controller_port = free_ports(2)

    @property
    def address(self) -> str:
        """Bootstrap address, ``host:port``."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Fetch Kafka's jars when the cache lacks them."""
        kafka_jars()

    def answers(self) -> bool:
        """Tell whether the broker has joined its cluster."""
        return kafka_answers({"bootstrap_servers": [self.address]})

    def _command(self) -> Command:
        properties = self.folder / "server.properties"
        data = self.folder / "data"
        text = _PROPERTIES.format(
            host=LOOPBACK, port=self.port, controller_port=self._controller_port, data=data
        )
        environment = plain_environment(self.folder)
        properties.write_text(text, encoding="utf-8")
        java = [
            str(java_program()),
            *_JVM_OPTIONS,
            f"-Djava.io.tmpdir={environment['TMPDIR']}",
            f"-Dlog4j2.configurationFile={KAFKA_DISTRIBUTION / 'log4j2.properties'}",
            "-cp",
            ":".join(str(jar) for jar in kafka_jars()),
        ]
        run = [*java, "kafka.Kafka", str(properties)]
        if not (data / "meta.properties").exists():
            run = _formatted_first(java, properties, run)
        return Command(run, environment, self.log, mark=str(properties))


def _formatted_first(java: list[str], properties: Path, run: list[str]) -> list[str]:
    """Put the formatting of the data folder before the broker, in the same process."""
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = [
        *java,
        "kafka.tools.StorageTool",
        "format",
        f"--cluster-id={cluster}",
        "-c",
        str(properties),
    ]
    return ["/bin/sh", "-c", f"{shlex.join(tool)} && exec {shlex.join(run)}"]


def kafka_answers(connection: Mapping[str, Any]) -> bool:
    """Tell whether a Kafka cluster has at least one broker that serves requests.

    Parameters
    ----------
    connection
        Arguments of a Kafka client: ``bootstrap_servers``, a list of ``host:port``; TLS, login.
    """
    host, _, port = connection["bootstrap_servers"][0].rpartition(":")
    try:
        # Asked first: kafka-python's client would log and retry a closed port for seconds.
        socket.create_connection((host, int(port)), timeout=2).close()
        with KafkaAdminClient(**connection, bootstrap_timeout_ms=5_000) as admin:
            return bool(admin.describe_cluster()["brokers"])
    except (OSError, ValueError, KafkaError):
        return False
