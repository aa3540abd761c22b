"""``/healthz`` is progress, ``/readyz`` dependencies, ``/metrics`` Prometheus."""

import asyncio
import json
import re
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self

import structlog
from meltwatch_schemas.text import escaped
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.loop_thread import LoopThread

Check = Callable[[], str | None]
"""Returns None when all is well, else one line that says what is not."""

_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"
_EXCHANGE_S: Final = 5.0  # a client that sends nothing, sends too slowly or does not read is closed
_MAX_HEAD_BYTES: Final = 8 * 1024
_LAST_PORT: Final = 65_535
_MAX_CONNECTIONS: Final = 128
_MAX_LINE: Final = 2_000
_REQUEST: Final = re.compile(rb"([A-Z]{1,16}) (/[^ ?#]*)\S* HTTP/1\.[01]\r?\n")
_ADDRESS: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})"
)


def _nothing() -> None:
    """Warn of nothing."""


@dataclass(frozen=True, slots=True)
class Health:
    """What a supervisor may ask a process.

    Attributes
    ----------
    progress
        Does its work go on? (A dependency that is down is no lack of progress.)
    readiness
        Do its dependencies answer?
    warning
        Is something away that it can work without? It is still ready, and the answer says so.
    """

    progress: Check
    readiness: Check
    warning: Check = _nothing


class _Answer(NamedTuple):
    status: HTTPStatus
    body: bytes
    content_type: str = _TEXT


class HealthServer:
    """Serves health and metrics from a thread, so that a busy event loop cannot hide.

    Each connection is one exchange with a deadline. Beyond 128 of them the oldest is closed, so
    that the next client is always served.

    Parameters
    ----------
    address
        ``host:port`` or ``[IPv6]:port``; port 0 takes a free one.
    health
        The checks.
    registry
        The metrics.
    pages
        Further pages by their path: each returns what is shown as JSON.

    Attributes
    ----------
    address
        Where it listens, as a client may write it.

    Raises
    ------
    ConfigurationError
        If the address is not of this form or cannot be bound.
    """

    def __init__(
        self,
        address: str,
        health: Health,
        registry: CollectorRegistry,
        pages: Mapping[str, Callable[[], Any]] = MappingProxyType({}),
    ) -> None:
        self._checks = {
            "/healthz": (health.progress, _nothing),
            "/readyz": (health.readiness, health.warning),
        }
        self._registry = registry
        self._pages = pages
        self._socket, self.address = _listening(address)
        self._exchanges: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._thread = LoopThread("health", self._serve)

    def __enter__(self) -> Self:
        self._thread.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.__exit__()

    async def _serve(self) -> None:
        server = await asyncio.start_server(
            self._exchange, sock=self._socket, limit=_MAX_HEAD_BYTES, backlog=_MAX_CONNECTIONS
        )
        await server.serve_forever()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the loop runs this as a task
        if len(self._exchanges) >= _MAX_CONNECTIONS:
            oldest = next(iter(self._exchanges))
            self._exchanges.pop(oldest).transport.abort()
        self._exchanges[task] = writer
        try:
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(_EXCHANGE_S):
                    await self._answer_one(reader, writer)
        finally:
            self._exchanges.pop(task, None)
            writer.transport.abort()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; then wait for the client to close, else a reset eats the answer."""
        line = await _request_line(reader)
        if line == b"":
            return
        request = line and _REQUEST.fullmatch(line)
        if not request:
            answer = _refusal(
                HTTPStatus.BAD_REQUEST, "expected an HTTP request head of 8 KiB at most"
            )
        elif request[1] not in (b"GET", b"HEAD"):
            answer = _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET or HEAD")
        else:
            answer = self._answer(request[2].decode("latin-1"))
        writer.write(_head(answer))
        if not (request and request[1] == b"HEAD"):
            writer.write(answer.body)
        await writer.drain()
        writer.write_eof()
        while await reader.read(_MAX_HEAD_BYTES):
            pass

    def _answer(self, path: str) -> _Answer:
        if path == "/metrics":
            return _Answer(HTTPStatus.OK, generate_latest(self._registry), CONTENT_TYPE_LATEST)
        if path in self._pages:
            return self._page(self._pages[path])
        checks = self._checks.get(path)
        if checks is None:
            known = ", ".join([*self._checks, *self._pages])
            return _refusal(HTTPStatus.NOT_FOUND, f"expected {known} or /metrics")
        problem, warning = map(_outcome, checks)
        if problem:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, problem)
        beside = _line(f"warning: {warning}") if warning else b""
        return _Answer(HTTPStatus.OK, b"ok\n" + beside)

    @staticmethod
    def _page(shown: Callable[[], Any]) -> _Answer:
        try:
            return _Answer(HTTPStatus.OK, json.dumps(shown()).encode(), _JSON)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            structlog.get_logger().error("page_failed", error=repr(error))
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, f"expected a page, got {error!r}")


def _refusal(status: HTTPStatus, problem: str) -> _Answer:
    return _Answer(status, _line(problem))


def _line(text: str) -> bytes:
    return f"{escaped(' '.join(text.split()))[:_MAX_LINE]}\n".encode()


def _outcome(check: Check) -> str | None:
    """Return the result of a check; a check that fails with an error is itself a problem."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - whatever it is, the probe gets an answer
        structlog.get_logger().error("health_check_failed", error=repr(error))
        return f"expected an answer of the health check, got {error!r}"


async def _request_line(reader: asyncio.StreamReader) -> bytes | None:
    """Read a request head; return its first line, None if it is too long, empty at the end."""
    lines: list[bytes] = []
    left = _MAX_HEAD_BYTES
    while left > 0:
        try:
            line = await reader.readline()
        except ValueError:  # longer than the reader's limit
            return None
        if not line.endswith(b"\n"):
            return b""
        if line in (b"\r\n", b"\n"):
            return lines[0] if lines else None
        lines.append(line)
        left -= len(line)
    return None


def _head(answer: _Answer) -> bytes:
    fields = {
        "Content-Type": answer.content_type,
        "Content-Length": len(answer.body),
        "Cache-Control": "no-store",
        "Connection": "close",
    }
    if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
        fields["Allow"] = "GET, HEAD"
    lines = [f"HTTP/1.1 {answer.status.value} {answer.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _listening(address: str) -> tuple[socket.socket, str]:
    """Return a socket that listens at an address, and the address with its real port."""
    found = _ADDRESS.fullmatch(address)
    try:
        if found:
            return _bound(found)
        problem = "not of that form"
    except (OSError, ValueError) as error:
        problem = str(error)
    raise ConfigurationError(
        "MELTWATCH_HEALTH_ADDRESS: expected a free host:port or [IPv6]:port, "
        f"got {escaped(repr(address))} ({problem})"
    )


def _bound(found: re.Match[str]) -> tuple[socket.socket, str]:
    host, port = found["ipv6"] or found["host"], int(found["port"])
    if port > _LAST_PORT:  # asked for it, Python forgets the socket that it has made
        raise ValueError(f"a port is at most {_LAST_PORT}")
    listener = socket.create_server(
        (host, port),
        family=socket.AF_INET6 if found["ipv6"] else socket.AF_INET,
        backlog=_MAX_CONNECTIONS,
        # "[::]" means every address, IPv4 too.
        dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
    )
    shown = f"[{host}]" if found["ipv6"] else host
    return listener, f"{shown}:{listener.getsockname()[1]}"
