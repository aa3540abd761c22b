"""A plant that lets nobody in without a login and a right: the printed ones, and no others."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self

from kafka.admin import ConfigResource, ConfigResourceType
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.settings import KafkaSettings, load
from meltwatch_local_cluster.servers import RedisServer
from meltwatch_local_cluster.servers.addresses import LOOPBACK, free_ports
from meltwatch_schemas.access import Operation, Principal, Resource, Right
from redis import Redis

from tests.support.product import MELTWATCH
from tests.support.secured import SecuredKafka, TlsProxy
from tests.support.waiting import LIMIT_S, until

PARTITIONS = 3
PREFIX = "meltwatch"
_AUDIT = re.compile(
    r"Principal = User:(\S+) is (Allowed|Denied) operation = (\w+) .* "
    r"on resource = (\w+):\w+:(\S+) for request = (\w+)"
)
_KINDS = {"Topic": "TOPIC", "Group": "GROUP", "Cluster": "CLUSTER",
          "TransactionalId": "TRANSACTIONAL_ID"}  # fmt: skip
Audit = set[tuple[str, str, Operation, Resource, str]]


class Plant:
    """Kafka with logins and rights, Redis with an ACL behind TLS.

    Parameters
    ----------
    folder
        Data, certificates, logs and password files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kafka = SecuredKafka(folder)
        self.redis = RedisServer(folder / "redis")
        certificate = self.kafka.authority.issue("redis", LOOPBACK)
        self.redis_tls = TlsProxy(self.redis.port, certificate)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for server in (self.kafka, self.redis, self.redis_tls):
                stack.enter_context(server)
            self._let_in()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _let_in(self) -> None:
        """Make users as ``meltwatch topics acls`` says, and write their passwords to files."""
        told = json.loads(self._run({}, "topics", "acls", "--json").stdout)
        self.kafka.add_users(each["user"] for each in told)
        self.granted = {each["user"]: [_right(right) for right in each["kafka"]] for each in told}
        self.redis_rules = {each["user"]: each["redis"] for each in told if each["redis"]}
        for user, rights in self.granted.items():
            self.kafka.allow(user, rights)
            self.password_file(user).write_text(self.kafka.passwords[user] + "\n")
        for user in self.redis_rules:
            self.give_redis(user)
        with self.kafka.admin() as admin:
            level = {"kafka.authorizer.logger": "DEBUG"}
            admin.alter_configs([ConfigResource(ConfigResourceType.BROKER_LOGGER, "1", level)])
        done = self.command(Principal.TOPICS, "topics", "create", f"--partitions={PARTITIONS}")
        assert done.returncode == 0, done.stderr

    def give_redis(self, user: str, without: str | None = None) -> None:
        """Make a user of Redis with its rules, or with all of them but one."""
        rules = [rule for rule in self.redis_rules[user] if rule != without]
        secret = self.kafka.passwords[user]
        with Redis.from_url(self.redis.address) as client:
            client.execute_command("ACL", "SETUSER", user, "reset", "on", f">{secret}", *rules)

    def password_file(self, user: str) -> Path:
        """Return the file that holds a user's password, of Kafka and of Redis."""
        return self.folder / f"{user}.password"

    def environment(self, user: str, **changes: str | None) -> dict[str, str]:
        """Return how a user logs in, as settings; changes without their prefix, None takes away."""
        secret = str(self.password_file(user))
        settings: dict[str, str | None] = {
            **self.kafka.environment(user),
            "MELTWATCH_REDIS": f"rediss://{LOOPBACK}:{self.redis_tls.port}/0",
            "MELTWATCH_REDIS_USERNAME": user,
            "MELTWATCH_REDIS_CA_FILE": str(self.kafka.authority.file),
            "MELTWATCH_KAFKA_PASSWORD_FILE": secret,
            "MELTWATCH_REDIS_PASSWORD_FILE": secret,
            "MELTWATCH_KAFKA_PASSWORD": None,
        }
        settings |= {f"MELTWATCH_{name.upper()}": value for name, value in changes.items()}
        return {name: value for name, value in settings.items() if value is not None}

    def command(
        self, user: str, *arguments: str, timeout_s: float = LIMIT_S, **changes: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a ``meltwatch`` command as a user, with settings as of ``environment``."""
        return self._run(self.environment(user, **changes), *arguments, timeout_s=timeout_s)

    def _run(
        self, settings: Mapping[str, str], *arguments: str, timeout_s: float = LIMIT_S
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [MELTWATCH, *arguments],
            cwd=self.folder,
            env=plain() | settings,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    @contextmanager
    def without(self, user: str, right: Right) -> Iterator[None]:
        """Take a right away for a while."""
        self.kafka.forbid(user, right)
        try:
            yield
        finally:
            self.kafka.allow(user, [right])

    def newcomer(self, user: str, topic: str) -> dict[str, Any]:
        """Make a user who may read and write one topic; return a client's arguments."""
        self.kafka.add_users([user])
        allowed = (Operation.READ, Operation.WRITE)
        self.kafka.allow(user, [Right(each, Resource.TOPIC, topic) for each in allowed])
        return connection_of(self.kafka.environment(user))

    def decided(self) -> int:
        """Return how far the broker's authorizer has written down what it decides."""
        return self.kafka.server.log.stat().st_size

    def audit(self, since: int = 0) -> Audit:
        """Return what it has decided since then: user, verdict, and on what."""
        with self.kafka.server.log.open("rb") as log:
            log.seek(since)
            found = _AUDIT.findall(log.read().decode(errors="replace"))
        return {
            (user, verdict, Operation[operation], Resource[_KINDS[kind]], name)
            for user, verdict, operation, kind, name, _ in found
            if operation in Operation.__members__
        }


class Process:
    """A service as its own process.

    Parameters
    ----------
    service
        As in the folder of services.
    settings
        Its environment, beside what every process has.
    log
        Where its output goes.
    """

    def __init__(self, service: str, settings: Mapping[str, str], log: Path) -> None:
        (port,) = free_ports(1)
        self._health = f"http://{LOOPBACK}:{port}/readyz"
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"meltwatch_{service}"],
                env=plain() | settings | {"MELTWATCH_HEALTH_ADDRESS": f"{LOOPBACK}:{port}"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(LIMIT_S)

    def readiness(self) -> str:
        """Return what /readyz says, nothing while there is no answer."""
        try:
            with urllib.request.urlopen(  # noqa: S310 - our own loopback address
                self._health, timeout=20
            ) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()
        except (OSError, HTTPException):  # nobody there, or busy
            return ""

    def until(self, is_so: Callable[[str], bool]) -> None:
        """Wait until /readyz says something."""
        until(
            lambda: is_so(self.readiness()),
            lambda: self.readiness() + self.log.read_text(),
        )

    def until_ready(self) -> None:
        self.until(lambda said: said.strip() == "ok")

    @property
    def command_line(self) -> str:
        """What anybody on the machine can see of it."""
        return Path(f"/proc/{self.process.pid}/cmdline").read_text()


def connection_of(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return a client's arguments."""
    return connection_arguments(load(KafkaSettings, environment))


def plain() -> dict[str, str]:
    """Return the environment without settings of Meltwatch."""
    return {k: v for k, v in os.environ.items() if not k.startswith("MELTWATCH_")}


def _right(told: Mapping[str, str]) -> Right:
    return Right(
        Operation[told["operation"]],
        Resource[told["resource_type"]],
        told["name"],
        told["pattern_type"] == "PREFIXED",
    )
