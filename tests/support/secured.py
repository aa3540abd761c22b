"""A broker with logins, certificates and an authorizer; Redis with an ACL behind TLS.

The broker has a plain listener too, on which everybody is a super user: that is how tests make
users and rights. Redis has its default user for the same. Nobody else gets in without a right.
"""

import asyncio
import contextlib
import datetime as dt
import secrets
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka.errors import NoError
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_local_cluster.servers.addresses import LOOPBACK, free_ports
from meltwatch_local_cluster.servers.kafka import seats
from meltwatch_schemas.access import Right

from tests.support.waiting import LIMIT_S, until

LISTENERS = ("SASL_SSL", "SSL", "EXPIRED")
_MECHANISM = "SCRAM-SHA-512"


class Authority:
    """A certificate authority and what it has signed, as PEM files in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ca = trustme.CA()
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def issue(self, name: str, *identities: str, expired: bool = False) -> tuple[Path, Path]:
        """Sign a certificate; return the files of chain and key, and write both into one more."""
        yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        times = {"not_before": yesterday.replace(year=2020), "not_after": yesterday}
        leaf = self._ca.issue_cert(*identities, common_name=name, **(times if expired else {}))
        chain = b"".join(part.bytes() for part in leaf.cert_chain_pems)
        key = load_pem_private_key(leaf.private_key_pem.bytes(), password=None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        chain_file, key_file = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        chain_file.write_bytes(chain)
        key_file.write_bytes(key)
        self.both(name).write_bytes(key + chain)
        return chain_file, key_file

    def both(self, name: str) -> Path:
        """Return the file that holds key and chain, as Kafka wants them."""
        return self._folder / f"{name}.both.pem"


class SecuredKafka:
    """One broker: SASL_SSL with SCRAM-SHA-512, mutual TLS, and one whose certificate is expired.

    Parameters
    ----------
    folder
        Data and certificates.

    Attributes
    ----------
    authority
        Signed the broker's certificates; clients of mutual TLS need one of it too.
    addresses
        ``host:port`` by listener.
    """

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "certificates")
        self.authority.issue("broker", LOOPBACK)
        self.authority.issue("old-broker", LOOPBACK, expired=True)
        (seat,) = seats(1)
        ((port, controller),) = seat.ports
        places = dict(zip(LISTENERS, free_ports(len(LISTENERS)), strict=True))
        self.addresses = {name: f"{LOOPBACK}:{place}" for name, place in places.items()}
        here = [f"PLAINTEXT://{LOOPBACK}:{port}"]
        here += [f"{name}://{address}" for name, address in self.addresses.items()]
        there = [*here, f"CONTROLLER://{LOOPBACK}:{controller}"]
        self.server = KafkaServer(folder / "kafka", None, self._settings(here, there), seat)
        self.plain = {"bootstrap_servers": [self.server.address]}
        self.passwords: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def _settings(self, here: list[str], there: list[str]) -> Mapping[str, str]:
        def store(name: str) -> str:
            return str(self.authority.both(name))

        return {
            "listeners": ",".join(there),
            "advertised.listeners": ",".join(here),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            "SASL_SSL:SASL_SSL,SSL:SSL,EXPIRED:SSL",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": "User:ANONYMOUS",
            "sasl.enabled.mechanisms": _MECHANISM,
            f"listener.name.sasl_ssl.{_MECHANISM.lower()}.sasl.jaas.config":
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": store("broker"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "listener.name.ssl.ssl.client.auth": "required",
            "listener.name.expired.ssl.keystore.location": store("old-broker"),
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        }  # fmt: skip

    def add_users(self, names: Iterable[str]) -> None:
        """Give each a password of its own, in ``passwords``."""
        new = {name: secrets.token_hex(8) for name in names}
        with self.admin() as admin:
            answers = admin.alter_user_scram_credentials(
                UserScramCredentialUpsertion(name, ScramMechanism.SCRAM_SHA_512, password)
                for name, password in new.items()
            )
            assert not any(answers.values()), answers
            # The broker that lets users in hears of it after the controller has said yes.
            until(lambda: set(admin.describe_user_scram_credentials()) >= set(new), "the users")
        self.passwords |= new

    def allow(self, user: str, rights: Iterable[Right]) -> None:
        """Give a user rights."""
        acls = [_acl(user, right) for right in rights]
        with self.admin() as admin:
            results = admin.create_acls(acls)
            assert not results["failed"], results
            # The broker's authorizer hears of it after the controller has said yes.
            until(lambda: {*acls} <= _in_force(admin, user), lambda: _in_force(admin, user))

    def forbid(self, user: str, right: Right | None = None) -> None:
        """Take a right away from a user, or all."""
        everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        if right is None:
            what = ACLFilter(
                f"User:{user}", "*", ACLOperation.ANY, ACLPermissionType.ANY, everything
            )
        else:
            acl = _acl(user, right)
            pattern = ResourcePatternFilter(
                acl.resource_pattern.resource_type, right.name, acl.resource_pattern.pattern_type
            )
            what = ACLFilter(acl.principal, "*", acl.operation, ACLPermissionType.ALLOW, pattern)
        with self.admin() as admin:
            ((_, gone, _),) = admin.delete_acls([what])
            assert gone or right is None, f"{user} had no {right}"
            until(lambda: not {*gone} & _in_force(admin, user), lambda: _in_force(admin, user))

    def environment(self, user: str) -> dict[str, str]:
        """Return how a user logs in, as settings."""
        return {
            "MELTWATCH_KAFKA": self.addresses["SASL_SSL"],
            "MELTWATCH_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "MELTWATCH_KAFKA_CA_FILE": str(self.authority.file),
            "MELTWATCH_KAFKA_SASL_MECHANISM": _MECHANISM,
            "MELTWATCH_KAFKA_USERNAME": user,
            "MELTWATCH_KAFKA_PASSWORD": self.passwords[user],
        }

    @contextmanager
    def admin(self) -> Iterator[Any]:
        with closing(KafkaAdminClient(**self.plain)) as admin:
            yield admin


def _in_force(admin: Any, user: str) -> set[ACL]:
    """Return a user's rights as the broker's authorizer has them."""
    everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    found, error = admin.describe_acls(
        ACLFilter(f"User:{user}", "*", ACLOperation.ANY, ACLPermissionType.ANY, everything)
    )
    assert error is NoError, error
    return {*found}


def _acl(user: str, right: Right) -> ACL:
    pattern = ACLResourcePatternType.PREFIXED if right.prefixed else ACLResourcePatternType.LITERAL
    return ACL(
        f"User:{user}", "*", ACLOperation[right.operation], ACLPermissionType.ALLOW,
        ResourcePattern(ResourceType[right.resource], right.name, pattern),
    )  # fmt: skip


class TlsProxy:
    """Ends TLS before a plain server on the loopback interface.

    Parameters
    ----------
    port
        Of the plain server.
    certificate
        Files of chain and key.
    protocols
        That it agrees to (ALPN), where clients ask.
    """

    def __init__(self, port: int, certificate: tuple[Path, Path], *protocols: str) -> None:
        self._target = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        if protocols:
            self._context.set_alpn_protocols(list(protocols))
        (self.port,) = free_ports(1)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tls-proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(LIMIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        server = await asyncio.start_server(self._connect, LOOPBACK, self.port, ssl=self._context)
        self._ready.set()
        await self._stop.wait()
        server.close()
        for writer in self._open:
            writer.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(tasks, timeout=5) if tasks else None

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(LOOPBACK, self._target)
        self._open |= {writer, back}
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer))
        self._open -= {writer, back}


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
