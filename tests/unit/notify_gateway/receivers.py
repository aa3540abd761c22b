"""Receivers that the gateway's client meets: a mail server that we did not write, and HTTP."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import SMTP

SECRET = "Tr0ub4dor-geheim"  # noqa: S105 - of nobody


@dataclass
class Hook:
    """A web service that takes JSON; ``status`` is what it answers, ``gate`` lets it answer."""

    url: str = ""
    status: int = 200
    gate: threading.Event = field(default_factory=threading.Event)
    got: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def web_hook(status: int = 200, *, hangs: bool = False) -> Iterator[Hook]:
    hook = Hook(status=status)
    if not hangs:
        hook.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.gate.wait(60)
            if hook.status < 300:
                hook.got.append(json.loads(body))
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that has gone is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    hook.url = f"json://li.wei:{SECRET}@127.0.0.1:{server.server_port}/hook"
    try:
        yield hook
    finally:
        hook.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Mailbox:
    url: str = ""
    got: list[EmailMessage] = field(default_factory=list)
    arrival: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd calls
        self, _server: object, _session: object, envelope: Any
    ) -> str:
        parsed = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.got.append(parsed)
        self.arrival.set()
        return "250 OK"


@asynccontextmanager
async def mail_server() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, loop=loop), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        box.url = (
            f"mailto://127.0.0.1:{port}?from=meltwatch@plant.example&to=shift@plant.example"
            "&mode=insecure"
        )
        yield box
