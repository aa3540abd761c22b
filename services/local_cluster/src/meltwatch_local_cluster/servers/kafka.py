"""Kafka: Apache Kafka itself (KRaft), one broker or several that are their own controllers."""

import base64
import shlex
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from meltwatch_chassis.kafka.access import is_served

from meltwatch_local_cluster.servers.addresses import LOOPBACK, free_ports
from meltwatch_local_cluster.servers.child import ChildCommand
from meltwatch_local_cluster.servers.kafka_installation import (
    KAFKA_DISTRIBUTION,
    java_program,
    kafka_jars,
    quick_start,
)
from meltwatch_local_cluster.servers.server import Server, plain_environment

# What depends on the broker's place; the rest is kafka_distribution/server.properties. Kafka's own
# topics have as many replicas as there are brokers.
_PROPERTIES = """\
node.id={number}
controller.quorum.voters={voters}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
log.dirs={data}
offsets.topic.replication.factor={replicas}
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
min.insync.replicas={in_sync}
"""
_JVM_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


@dataclass(frozen=True)
class Seat:
    """A broker's place in a cluster.

    Attributes
    ----------
    number
        Of the broker, from 1.
    ports
        Of each broker, for clients and for controllers.
    cluster_id
        The same for all of them.
    """

    number: int
    ports: Sequence[tuple[int, int]]
    cluster_id: str

    @property
    def voters(self) -> str:
        """The controllers, as Kafka wants them listed."""
        return ",".join(
            f"{number}@{LOOPBACK}:{port}" for number, (_, port) in enumerate(self.ports, start=1)
        )

    @property
    def in_sync(self) -> int:
        """Replicas that must have a record: all but one where there are several."""
        return max(1, len(self.ports) - 1)


class KafkaServer(Server):
    """One broker without topics; topics are created by name, never by use.

    Parameters
    ----------
    folder
        Data, configuration and temporary files.
    log
        Where the output goes; a file in the folder by default.
    settings
        Further properties of the broker.
    seat
        Its place in a cluster; alone by default.

    Attributes
    ----------
    options
        Further options of its Java.
    """

    name: ClassVar[str] = "kafka"
    grace_s: ClassVar[float] = 10.0

    def __init__(
        self,
        folder: Path,
        log: Path | None = None,
        settings: Mapping[str, str] | None = None,
        seat: Seat | None = None,
    ) -> None:
        super().__init__(folder, log)
        self.options: tuple[str, ...] = ()
        self._settings = dict(settings or {})
        self._seat = seat or seats(1)[0]
        self.port, self._controller_port = self._seat.ports[self._seat.number - 1]

    @property
    def address(self) -> str:
        """Bootstrap address, ``host:port``."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Fetch Kafka's jars when the cache lacks them."""
        kafka_jars()

    def answers(self) -> bool:
        """Tell whether the broker has joined its cluster."""
        return is_served({"bootstrap_servers": [self.address]})

    def _command(self) -> ChildCommand:
        properties = self.folder / "server.properties"
        data = self.folder / "data"
        text = (KAFKA_DISTRIBUTION / "server.properties").read_text(encoding="utf-8")
        text += _PROPERTIES.format(
            number=self._seat.number,
            voters=self._seat.voters,
            replicas=len(self._seat.ports),
            in_sync=self._seat.in_sync,
            host=LOOPBACK,
            port=self.port,
            controller_port=self._controller_port,
            data=data,
        )
        text += "".join(f"{name}={value}\n" for name, value in self._settings.items())
        environment = plain_environment(self.folder)
        properties.write_text(text, encoding="utf-8")
        java = [
            str(java_program()),
            *quick_start(),
            *_JVM_OPTIONS,
            f"-Djava.io.tmpdir={environment['TMPDIR']}",
            f"-Dlog4j2.configurationFile={KAFKA_DISTRIBUTION / 'log4j2.properties'}",
            "-cp",
            ":".join(str(jar) for jar in kafka_jars()),
        ]
        run = [java[0], *self.options, *java[1:], "kafka.Kafka", str(properties)]
        if not (data / "meta.properties").exists():
            run = self._formatted_first(java, properties, run)
        return ChildCommand(run, environment, self.log, mark=str(properties))

    def _formatted_first(self, java: list[str], properties: Path, run: list[str]) -> list[str]:
        """Put the formatting of the data folder before the broker, in the same process."""
        tool = [
            *java,
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={self._seat.cluster_id}",
            "-c",
            str(properties),
        ]
        return ["/bin/sh", "-c", f"{shlex.join(tool)} && exec {shlex.join(run)}"]


class KafkaCluster:
    """Brokers that replicate each other's topics; one of them may be away.

    Parameters
    ----------
    folder
        Each broker has a folder of its own in it.
    count
        Number of brokers.
    settings
        Further properties of every broker.
    """

    def __init__(
        self, folder: Path, count: int = 3, settings: Mapping[str, str] | None = None
    ) -> None:
        self.brokers = {
            seat.number: KafkaServer(folder / f"kafka-{seat.number}", None, settings, seat)
            for seat in seats(count)
        }

    @property
    def address(self) -> str:
        """Bootstrap addresses, ``host:port,host:port``."""
        return ",".join(broker.address for broker in self.brokers.values())

    def __enter__(self) -> Self:
        try:
            for broker in self.brokers.values():
                broker.start()
            for broker in self.brokers.values():
                broker.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End all brokers together: the last ones alone have no quorum to leave."""
        for broker in self.brokers.values():
            broker.terminate()
        for broker in self.brokers.values():
            broker.stop()


def seats(count: int) -> list[Seat]:
    """Return the places of a new cluster's brokers, on free ports."""
    ports = free_ports(2 * count)
    pairs = tuple(zip(ports[::2], ports[1::2], strict=True))
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return [Seat(number, pairs, cluster_id) for number in range(1, count + 1)]
