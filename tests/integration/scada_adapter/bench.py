"""The OPC UA server as a process, and asyncua's client as one of its users."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import yaml
from asyncua import Client, ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from meltwatch_local_cluster.servers.addresses import free_ports
from meltwatch_scada_adapter.adapters.opcua.users import hash_of

from tests.support.logs import entries
from tests.support.waiting import LIMIT_S, until
from tests.unit.core.alarms.samples import ALARM_ID

T = TypeVar("T")
PASSWORD = "correct horse"  # noqa: S105 - of a server that lives for a test
USERS = ("li.wei", "wang.fang", "zhang.min")
"""An operator, an engineer, and somebody whom the roles file does not name."""
ROLES = {"users": {"li.wei": {"operator": "all"}, "wang.fang": {"engineer": "all"}}}
FIELDS = (
    "EventId", "EventType", "SourceName", "Time", "Message", "Severity", "ConditionName",
    "Retain", "Quality", "Comment", "ClientUserId", "ActiveState/Id", "AckedState/Id",
    "ShelvingState/CurrentState/Id", "SuppressedOrShelved", "BranchId",
)  # fmt: skip


class AdapterProcess:
    """``python -m meltwatch_scada_adapter``; its files and its log lie in a folder.

    Parameters
    ----------
    folder
        Made here.
    environ
        Settings, without the prefix of their variables.
    """

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "users.yaml").write_text(
            yaml.safe_dump({"users": {user: hash_of(PASSWORD) for user in USERS}})
        )
        (folder / "roles.yaml").write_text(yaml.safe_dump(ROLES))
        (port,) = free_ports(1)
        self.url = f"opc.tcp://127.0.0.1:{port}/meltwatch"
        settings = {
            "opcua_address": f"127.0.0.1:{port}",
            "opcua_certificate_dir": str(folder / "certificates"),
            "opcua_users_file": str(folder / "users.yaml"),
            "roles_file": str(folder / "roles.yaml"),
            "opcua_trust_all": "true",
            # On a busy machine the alarm manager answers late; who tries a time-out sets it.
            "opcua_order_timeout_s": "30",
        }
        given = {f"MELTWATCH_{k.upper()}": v for k, v in (settings | environ).items()}
        self._environ = os.environ | given
        self.log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; return at once."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "meltwatch_scada_adapter"], env=self._environ, stderr=log
            )
        return self

    def wait_serving(self) -> Self:
        """Wait until clients are let in."""

        def serves() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()[-3000:]
            return bool(self.log_lines("opcua_served"))

        until(serves, self.log.read_text)
        return self

    def log_lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of an event."""
        return entries(self.log, event)

    def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class Inbox:
    """Keeps what a subscription brings; asyncua calls it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.came = asyncio.Event()

    def event_notification(self, event: Any) -> None:
        """Keep an event as a dictionary of values."""
        found = {name: v.Value for name, v in event.get_event_props_as_fields_dict().items()}
        self.events.append(found)
        self.came.set()

    async def first(
        self, wanted: Callable[[dict[str, Any]], object], limit_s: float = LIMIT_S
    ) -> dict[str, Any]:
        """Return the first event that is wanted, waiting for it."""
        async with asyncio.timeout(limit_s):
            while True:
                for event in self.events:
                    if wanted(event):
                        return event
                self.came.clear()
                await self.came.wait()

    async def refreshed(self) -> list[dict[str, Any]]:
        """Return what came of the alarm between the start and the end of the newest refresh.

        On a slow machine its furnace may be silent for so long that this is an alarm, too.
        """
        await self.first(is_of(ua.ObjectIds.RefreshEndEventType))
        kinds = [each["EventType"] for each in self.events]
        start = kinds.index(ua.NodeId(ua.ObjectIds.RefreshStartEventType))
        end = kinds.index(ua.NodeId(ua.ObjectIds.RefreshEndEventType))
        return [each for each in self.events[start + 1 : end] if each["NodeId"] == CONDITION_ID]


CONDITION_ID: Final = ua.NodeId(ALARM_ID, 2)


def is_of(number: int) -> Callable[[dict[str, Any]], bool]:
    """Tell of events whether they are of a type."""
    return lambda event: event["EventType"] == ua.NodeId(number)


def make_certificate(folder: Path) -> Path:
    """Return a folder with the key and the certificate of a client."""
    made = folder / "client"
    made.mkdir(exist_ok=True)
    asyncio.run(
        setup_self_signed_certificate(
            made / "key.pem", made / "cert.der", "urn:tests:client", "localhost",
            [], {"countryName": "CN", "commonName": "tests"},
        )
    )  # fmt: skip
    return made


@asynccontextmanager
async def session(adapter: AdapterProcess, user: str | None = "li.wei") -> AsyncIterator[Client]:
    """Give a session of a user over Basic256Sha256, SignAndEncrypt."""
    client = Client(adapter.url, timeout=60)
    folder = await asyncio.to_thread(make_certificate, adapter.folder)
    client.application_uri = "urn:tests:client"
    await client.set_security(
        SecurityPolicyBasic256Sha256, str(folder / "cert.der"), str(folder / "key.pem"),
        mode=ua.MessageSecurityMode.SignAndEncrypt,
    )  # fmt: skip
    if user is not None:
        client.set_user(user)
        client.set_password(PASSWORD)
    async with client:
        yield client


async def once_live(client: Client) -> None:
    """Wait until the adapter hears the manager: where a start takes long, it does not yet."""
    await once(lambda: link_of(client), lambda found: found == "live")


async def link_of(client: Client) -> Any:
    """Return what the adapter says of its link to the manager."""
    return await client.get_node(ua.NodeId("LinkState", 2)).read_value()


async def once(read: Callable[[], Awaitable[T]], wanted: Callable[[T], object]) -> T:
    """Read until it is what is wanted, which follows an event or comes before it; return it."""
    found = await read()
    try:
        async with asyncio.timeout(LIMIT_S):
            while not wanted(found):
                await asyncio.sleep(0.2)
                found = await read()
    except TimeoutError as error:
        raise AssertionError(f"waited {LIMIT_S:g} s in vain, got {found}") from error
    return found


@asynccontextmanager
async def live_session(adapter: AdapterProcess) -> AsyncIterator[Client]:
    """Give an operator's session once there is nothing to be told of silence any more."""
    async with session(adapter) as client:
        await once_live(client)
        yield client


def event_filter(of_type: int | None = None) -> ua.EventFilter:
    """Return a filter that selects our fields, of a type if one is named."""
    made = ua.EventFilter()
    for name in FIELDS:
        made.SelectClauses.append(_clause(name))
    condition_id = _clause("")
    condition_id.TypeDefinitionId = ua.NodeId(ua.ObjectIds.ConditionType)
    condition_id.AttributeId = ua.AttributeIds.NodeId
    made.SelectClauses.append(condition_id)
    if of_type is not None:
        element = ua.ContentFilterElement()
        element.FilterOperator = ua.FilterOperator.OfType
        value = ua.Variant(ua.NodeId(of_type), ua.VariantType.NodeId)
        element.FilterOperands = [ua.LiteralOperand(Value=value)]
        made.WhereClause.Elements.append(element)
    return made


def _clause(name: str) -> ua.SimpleAttributeOperand:
    made = ua.SimpleAttributeOperand()
    made.TypeDefinitionId = ua.NodeId(ua.ObjectIds.BaseEventType)
    made.BrowsePath = [ua.QualifiedName(part, 0) for part in name.split("/") if part]
    made.AttributeId = ua.AttributeIds.Value
    return made


@asynccontextmanager
async def subscribed(
    client: Client, node: Any = ua.ObjectIds.Server, of_type: int | None = None, queue: int = 0
) -> AsyncIterator[tuple[Inbox, Any]]:
    """Watch the events of a node; give what comes, and the subscription."""
    inbox = Inbox()
    subscription = await client.create_subscription(100, inbox)
    target = node if isinstance(node, ua.NodeId) else ua.NodeId(node)
    await subscription.subscribe_events(
        client.get_node(target), evfilter=event_filter(of_type), queuesize=queue
    )
    yield inbox, subscription


async def refresh(client: Client, subscription: Any) -> None:
    """Call ConditionRefresh."""
    kind = client.get_node(ua.NodeId(ua.ObjectIds.ConditionType))
    await kind.call_method(
        ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh),
        ua.Variant(subscription.subscription_id, ua.VariantType.UInt32),
    )


async def call(client: Client, alarm_id: str, method: int, *arguments: ua.Variant) -> str:
    """Call a method of the types on a condition; return the status code's name."""
    node = client.get_node(ua.NodeId(alarm_id, 2))
    try:
        await node.call_method(ua.NodeId(method), *arguments)
    except ua.UaStatusCodeError as error:
        return str(ua.status_codes.get_name_and_doc(error.code)[0])
    return "Good"


async def acknowledge(client: Client, alarm_id: str, event_id: bytes, comment: str = "") -> str:
    """Acknowledge a condition."""
    return await call(
        client,
        alarm_id,
        ua.ObjectIds.AcknowledgeableConditionType_Acknowledge,
        ua.Variant(event_id, ua.VariantType.ByteString),
        ua.Variant(ua.LocalizedText(comment), ua.VariantType.LocalizedText),
    )
