"""A PLC as a process: asyncua's server with three currents, a login and certificates.

Arguments: port, folder of certificates, password, and how many foreign namespaces come before its
own. It reads one command a line: ``good`` (values change every 100 ms), ``steady`` (they are
written again and again), ``still`` (nothing is written), ``bad`` (the second phase has a bad
status), ``clock SECONDS`` (its own clock is off) or ``no_time``.
With the ``n``-th write the phases show 5000 + n, 6000 + n and 7000 + n.
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asyncua import Server, ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import SimpleRoleRuleset
from asyncua.server.user_managers import User, UserRole
from meltwatch_chassis.tasks import first_of

URI = "urn:plant:plc"
NAMES = ("F4.IA", "F4.IB", "F4.IC")
TEXT = "F4.NAME"
PHASES = (5000.0, 6000.0, 7000.0)
USER = "meltwatch"


class OneUser:
    """Lets in one user by one password."""

    def __init__(self, password: str) -> None:
        self.password = password

    def get_user(
        self, _server: Any, username: str | None = None, password: Any = None, **_: Any
    ) -> User | None:
        """Say who somebody is, or nobody."""
        is_right = username == USER and password == self.password
        return User(role=UserRole.User, name=USER) if is_right else None


class Plc:
    """What it shows."""

    def __init__(self, server: Server, nodes: list[Any]) -> None:
        self.server = server
        self.nodes = nodes
        self.command = ["good"]
        self.writes = 0

    async def show(self) -> None:
        """Write values for ever, as commanded."""
        while True:
            await self.write()
            await asyncio.sleep(0.1)

    async def write(self) -> None:
        """Write the present values, unless nothing is to come any more."""
        if self.command[0] != "still":
            self.writes += self.command[0] != "steady"
            for number, node in enumerate(self.nodes):
                await self.server.write_attribute_value(node.nodeid, self.value(number))

    async def obey(self) -> None:
        """Take commands until there are no more."""
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            self.command = line.split()
            await self.write()  # whoever comes next sees nothing of before
            print("done", flush=True)

    def value(self, number: int) -> ua.DataValue:
        """The present value of a phase."""
        what, *rest = self.command
        shown = PHASES[number] + self.writes
        status = ua.StatusCodes.Good
        moment: datetime | None = datetime.now(UTC).replace(tzinfo=None)
        if what == "bad" and number == 1:
            status = ua.StatusCodes.BadSensorFailure
        if what == "clock" and moment is not None:
            moment += timedelta(seconds=float(rest[0]))
        if what == "no_time":
            moment = None
        return ua.DataValue(ua.Variant(shown), ua.StatusCode(status), SourceTimestamp=moment)


async def serve(port: int, folder: Path, password: str, strangers: int) -> None:
    """Serve until nobody commands any more."""
    server = Server(user_manager=OneUser(password))
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    uri = f"urn:tests:plc:{port}"
    await server.set_application_uri(uri)
    key, certificate = folder / "key.pem", folder / "cert.der"
    await setup_self_signed_certificate(
        key, certificate, uri, "localhost", [], {"countryName": "CN", "commonName": "plc"}
    )
    await server.load_certificate(str(certificate))
    await server.load_private_key(str(key))
    policies = [
        ua.SecurityPolicyType.NoSecurity,
        ua.SecurityPolicyType.Basic256Sha256_Sign,
        ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ]
    server.set_security_policy(policies, permission_ruleset=SimpleRoleRuleset())
    server.set_identity_tokens([ua.UserNameIdentityToken])
    for number in range(strangers):
        await server.register_namespace(f"urn:stranger:{number}")
    index = await server.register_namespace(URI)
    nodes = [
        await server.nodes.objects.add_variable(ua.NodeId(name, index), name, 0.0) for name in NAMES
    ]
    await server.nodes.objects.add_variable(ua.NodeId(TEXT, index), TEXT, "7 kA")
    plc = Plc(server, nodes)
    async with server:
        print("ready", flush=True)
        await first_of(plc.show(), plc.obey())


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
