"""A plant whose servers can be killed, frozen and made to refuse us, and its services."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import redis
from kafka.admin import (
    KafkaAdminClient,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_local_cluster.servers import KafkaServer, RedisServer, Server, TritonServer
from meltwatch_local_cluster.servers.addresses import free_ports
from meltwatch_local_cluster.servers.kafka import seats
from meltwatch_schemas.topics import catalogue

from tests.integration.stream_processor.worker import Worker
from tests.support.logs import entries
from tests.support.waiting import until

PREFIX = "health"
USER, PASSWORD = "plant", "a-secret"
LOGIN = {
    "kafka_security_protocol": "SASL_PLAINTEXT",
    "kafka_sasl_mechanism": "SCRAM-SHA-256",
    "kafka_username": USER,
    "kafka_password": PASSWORD,
}
SCRAM = ScramMechanism.SCRAM_SHA_256
ON_KAFKA = ("stream_processor", "alarm_manager", "video_producer", "current_producer")
DEPENDENTS = {"kafka": ON_KAFKA, "redis": ("alarm_manager",), "triton": ("stream_processor",)}


class GuardedKafka(KafkaServer):
    """A broker with a second listener for users, who can be removed."""

    def __init__(self, folder: Path) -> None:
        (seat,), (port,) = seats(1), free_ports(1)
        ((plain, controller),) = seat.ports
        listeners = f"PLAINTEXT://127.0.0.1:{plain},OUTSIDE://127.0.0.1:{port}"
        settings = {
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,OUTSIDE:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "sasl.enabled.mechanisms": SCRAM_NAME,
            f"listener.name.outside.{SCRAM_NAME.lower()}.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
        }
        super().__init__(folder, settings=settings, seat=seat)
        self.guarded = f"127.0.0.1:{port}"

    def refuse(self) -> None:
        """Let the user in no more; connections that stand go on."""
        self._alter(UserScramCredentialDeletion(USER, SCRAM))

    def admit(self) -> None:
        """Let the user in."""
        self._alter(UserScramCredentialUpsertion(USER, SCRAM, PASSWORD))

    def _alter(self, change: UserScramCredentialDeletion | UserScramCredentialUpsertion) -> None:
        admits = isinstance(change, UserScramCredentialUpsertion)
        with KafkaAdminClient(bootstrap_servers=self.address) as admin:
            assert admin.alter_user_scram_credentials([change]) == {USER: None}
            # The broker that lets users in hears of it after the controller has said yes.
            until(lambda: (USER in admin.describe_user_scram_credentials()) is admits, "the user")


SCRAM_NAME = "SCRAM-SHA-256"


class GuardedRedis(RedisServer):
    """A Redis that can ask for a password that nobody was told."""

    def refuse(self) -> None:
        """Ask for a password from now on; connections that stand go on."""
        self._alter("requirepass", PASSWORD)

    def admit(self) -> None:
        """Ask for none."""
        self._alter("requirepass", "", password=PASSWORD)

    def _alter(self, name: str, value: str, password: str | None = None) -> None:
        with redis.Redis.from_url(self.address, password=password) as client:
            assert client.config_set(name, value)


class GuardedTriton(TritonServer):
    """A Triton that can keep its models behind a key; it takes a restart to change that."""

    is_guarded = False

    def refuse(self) -> None:
        """Serve only those who have the key."""
        self._again(guarded=True)

    def admit(self) -> None:
        """Serve everybody."""
        self._again(guarded=False)

    def thaw(self) -> None:
        """Let it run on, in a new life.

        A laptop's Triton dies of a pause: its stubs meet locks of theirs that are out of time.
        """
        super().thaw()
        self._again(guarded=False)

    def _again(self, *, guarded: bool) -> None:
        self.kill()
        self.is_guarded = guarded
        self.start()
        self.wait_ready()

    def _listeners(self) -> list[str]:
        closed = ["--grpc-restricted-protocol=inference,model-config:a-key=a-secret"]
        return [*super()._listeners(), *(closed if self.is_guarded else [])]


@dataclass(slots=True)
class Site:
    """Servers by the name that services give them, and the services.

    Attributes
    ----------
    servers
        Each can be killed, frozen and made to refuse.
    services
        Ready when the site is entered.
    """

    folder: Path
    servers: dict[str, GuardedKafka | GuardedRedis | GuardedTriton]
    services: dict[str, Worker] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def standing(cls, folder: Path) -> "Iterator[Self]":
        """Start everything; end it at the exit."""
        with ExitStack() as stack:
            kafka = stack.enter_context(GuardedKafka(folder / "kafka"))
            view = stack.enter_context(GuardedRedis(folder / "redis"))
            triton = stack.enter_context(GuardedTriton(folder / "triton"))
            create_topics({"bootstrap_servers": [kafka.address]}, catalogue(PREFIX, 1))
            kafka.admit()
            site = cls(folder, {"kafka": kafka, "redis": view, "triton": triton})
            told = {"redis": view.address, "triton": triton.address, "simulator_furnaces": 1}
            for name in ON_KAFKA:
                site.services[name] = stack.enter_context(
                    Worker(
                        folder, (f"meltwatch_{name}",), kafka=kafka.guarded, topic_prefix=PREFIX,
                        **told, **LOGIN,
                    )
                )  # fmt: skip
            for service in site.services.values():
                service.until_ready()
            yield site

    def said(self, service: str, event: str) -> list[dict[str, object]]:
        """Give the log lines of an event."""
        return entries(self.services[service].log, event)


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls a server, and how it ends."""

    strikes: Callable[[Server], None]
    ends: Callable[[Server], None]


def again(server: Server) -> None:
    """Start a server that was killed."""
    server.start()
    server.wait_ready()


FAULTS = {
    "killed": Fault(lambda server: server.kill(), again),
    "frozen": Fault(lambda server: server.freeze(), lambda server: server.thaw()),
    "refusing": Fault(lambda server: server.refuse(), lambda server: server.admit()),
}
