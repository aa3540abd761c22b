"""The edge node's sessions without an alarm manager: what a host and a broker do to it."""

import asyncio
from contextlib import asynccontextmanager

from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.settings import load
from meltwatch_scada_adapter.adapters.sparkplug.birth_numbers import BirthNumbers
from meltwatch_scada_adapter.adapters.sparkplug.broker import broker_of
from meltwatch_scada_adapter.adapters.sparkplug.face import SparkplugFace
from meltwatch_scada_adapter.domain.condition import of_record
from meltwatch_scada_adapter.domain.orders import OrderOutcome
from meltwatch_scada_adapter.domain.sparkplug.edge_node import EdgeNode
from meltwatch_scada_adapter.domain.sparkplug.names import NodeNames
from meltwatch_scada_adapter.settings import Settings

from tests.integration.scada_adapter.sparkplug_bench import EDGE, GROUP, USER
from tests.support.builders import alarm_record
from tests.support.waiting import until


class Desk:
    """Keeps what is asked for; nothing is acknowledged without a word of the alarm manager."""

    def __init__(self) -> None:
        self.orders = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def carry_out(self, alarm_id, order, user):
        self.orders.append((alarm_id, order.event_id, user))
        await self.may_answer.wait()
        return OrderOutcome.GOOD


@asynccontextmanager
async def edge_node(folder, host=None, user=USER, **environ: str):
    """A face that shows one alarm, and keeps its sessions."""
    given = {f"MELTWATCH_{name.upper()}": value for name, value in environ.items()}
    settings = load(Settings, given)
    node = EdgeNode(NodeNames(GROUP, EDGE, host), 5)
    numbers = BirthNumbers(folder / "bdseq", start=41)
    broker = broker_of(settings, "edge")
    face = SparkplugFace(node, broker, numbers, user, SystemClock(), Metrics())
    face.desk = Desk()
    face.link(face.desk)
    await face.show(of_record(alarm_record(), None))
    await face.start()
    keeping = asyncio.create_task(face.keep_sessions())
    try:
        yield face
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def eventually(probe):
    """Wait for what the edge node does."""
    await asyncio.to_thread(until, probe, "the edge node")
