"""Servers that speak something else than a meter's protocol: a loss with one line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from meltwatch_chassis.clock import SystemClock
from meltwatch_schemas.window import NS_PER_S, Grid
from meltwatch_sources.adapters.meters import open_meter
from meltwatch_sources.credentials import CredentialStore
from meltwatch_sources.plant import CurrentSource
from meltwatch_sources.ports import Meter, SourceLost

pytestmark = pytest.mark.integration
GRID = Grid(0, NS_PER_S // 2)
NODES = ("nsu=u;s=a", "nsu=u;s=b", "nsu=u;s=c")
SPOKEN = {
    "nothing": b"",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
    "zeros": bytes(300),
    "ones": b"\xff" * 300,
    "an endless message": b"MSGF\xff\xff\xff\xff" + bytes(64),
    "an acknowledgement of nonsense": b"ACKF\x1c\x00\x00\x00" + b"\xff" * 20,
    "an error with a text": b"ERRF\x1a\0\0\0\0\0\x80\x80\x0a\0\0\0\x1b[31mp@s\n\r",
    "a function that is none": b"\x00\x01\x00\x00\x00\x03\x01\x5f\xff",
    "another length than there is": b"\x00\x01\x00\x00\x00\xff\x01\x03\xff" + bytes(20),
}  # fmt: skip


@asynccontextmanager
async def speaking(spoken: bytes, *, hangs_up: bool) -> AsyncIterator[int]:
    """A server that says one thing to all that it is told."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while await reader.read(4096):
                writer.write(spoken)
                if hangs_up:
                    break
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        server.close()


def source(scheme: str, port: int) -> CurrentSource:
    told: dict[str, Any] = {"source_id": "m", "address": f"{scheme}://127.0.0.1:{port}"}
    if scheme == "opc.tcp":
        return CurrentSource.model_validate({**told, "nodes": NODES})
    return CurrentSource.model_validate({**told, "registers": {"first": 1}})


async def read_out(meter: Meter) -> None:
    """Read until nothing comes; nothing that comes is a value."""
    async for reading in meter.readings(asyncio.Event()):
        assert not reading.has_value


@pytest.mark.parametrize("hangs_up", [True, False])
@pytest.mark.parametrize("scheme", ["modbus+tcp", "opc.tcp"])
async def test_nonsense_is_a_loss_and_no_value(scheme, hangs_up, tmp_path):
    async def lost(name: str, spoken: bytes) -> None:
        async with speaking(spoken, hangs_up=hangs_up) as port:
            meter = open_meter(source(scheme, port), GRID, CredentialStore(tmp_path), SystemClock())
            with pytest.raises(SourceLost) as raised:
                await asyncio.wait_for(read_out(meter), 120)
        assert raised.value.why.isprintable(), name
        assert len(raised.value.why) < 400, name

    await asyncio.gather(*(lost(name, spoken) for name, spoken in SPOKEN.items()))
