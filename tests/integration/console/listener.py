"""A browser that only listens to the stream: what came to it, when, and what it knows by it."""

import asyncio
import json
import socket
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from meltwatch_chassis.clock import SystemClock
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

_STAMP = "written at "
_CLOCK = SystemClock()


def stamp() -> str:
    """Return a title that says when its alarm was written."""
    return f"{_STAMP}{_CLOCK.now_ns() // NS_PER_MS}"


class Listener:
    """One browser that listens, packed as browsers do.

    Parameters
    ----------
    window_bytes
        What its socket takes while it does not read; the kernel chooses, and changes it, if None.

    Attributes
    ----------
    bytes, snapshots
        How much came, as it was on the line, and how many whole pictures.
    late
        When an alarm with a stamp came, and how long after it was written, seconds.
    standing
        The alarms that stand as far as it knows: the event of each.
    may_read
        While it is not set, nothing is taken off the line.
    """

    def __init__(self, window_bytes: int | None = None) -> None:
        self._window_bytes = window_bytes
        self.bytes = self.snapshots = 0
        self.late: list[tuple[float, float]] = []
        self.standing: dict[str, str] = {}
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._news = asyncio.Event()

    async def follow(self, url: str) -> None:
        """Listen until cancelled."""
        place = urlsplit(url)
        line = socket.socket()
        if self._window_bytes is not None:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._window_bytes)
        line.connect((place.hostname, place.port))
        reader, writer = await asyncio.open_connection(sock=line)
        asked = ("GET /api/v1/stream HTTP/1.1", f"Host: {place.netloc}", "Accept-Encoding: gzip")
        try:
            writer.write("\r\n".join([*asked, "", ""]).encode())
            await reader.readuntil(b"\r\n\r\n")
            await self._read(reader)
        finally:
            writer.close()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something that comes makes it so."""
        while not is_so():
            self._news.clear()
            await self._news.wait()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        text = b""
        while size := int(await reader.readline(), 16):
            packed = await reader.readexactly(size)
            await reader.readexactly(2)
            self.bytes += size
            *events, text = (text + unpacker.decompress(packed)).split(b"\n\n")
            for event in events:
                self._take(event.decode())
            self._news.set()
            await self.may_read.wait()
        raise EOFError("expected a stream without an end")

    def _take(self, event: str) -> None:
        told = dict(line.partition(": ")[::2] for line in event.split("\n") if ": " in line)
        if told.get("event") == "snapshot":
            self.snapshots += 1
            self.standing = {}
            for alarm in json.loads(told["data"])["alarms"]:
                self._note(alarm)
        elif told.get("event") == "alarm":
            alarm = json.loads(told["data"])
            self._note(alarm)
            title = alarm.get("title", "")
            if title.startswith(_STAMP):
                now_s = _CLOCK.now_ns() / NS_PER_S
                self.late.append((now_s, now_s - int(title.removeprefix(_STAMP)) / 1_000))

    def _note(self, alarm: dict[str, Any]) -> None:
        if alarm["state"] == "NORM":
            self.standing.pop(alarm["alarm_id"], None)
        else:
            self.standing[alarm["alarm_id"]] = alarm["event_id"]
