"""The web server: a socket, the headers that every answer has, and an end in time."""

import asyncio
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, Final

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_schemas.text import escaped
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meltwatch_console.adapters.http.gate import ApiError

_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_ADDRESS: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})"
)
_FAILED: Final = "expected an answer, got a failure of the console; its log says which"
_BACKLOG: Final = 256
_STOP_S: Final = 1
_log = structlog.get_logger()


class _WithHeaders:
    """Adds the headers that every answer has."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                own = [header for header in _HEADERS if header[0] not in names]
                message["headers"] = [*message["headers"], *own]
            await send(message)

        await self._app(scope, receive, told)


class _Failures:
    """Answers what no route has expected as any other error; why stands in the log alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except ClientDisconnect:  # nobody waits for an answer
            return
        except Exception:
            _log.exception("request_failed", path=escaped(scope["path"])[:300])
            if has_begun:  # the connection is cut: half an answer must not pass for a whole one
                raise
            await _error(500, "failed", _FAILED)(scope, receive, send)


class _Server(uvicorn.Server):
    """Leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


def web_app(routers: Sequence[APIRouter]) -> FastAPI:
    """Return the application of some routes; errors are ``{"error": {"code", "message"}}``."""
    app = FastAPI(
        docs_url=None, redoc_url=None, openapi_url=None,
        generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    for router in routers:
        app.include_router(router)

    @app.exception_handler(ApiError)
    async def refused(_: Request, error: ApiError) -> JSONResponse:
        return _error(error.status, error.code, error.message)

    @app.exception_handler(HTTPException)
    async def failed(_: Request, error: HTTPException) -> JSONResponse:
        code = {404: "not_found", 405: "wrong_method"}.get(error.status_code, "refused")
        return _error(error.status_code, code, str(error.detail))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return _error(422, "bad_request", escaped(f"{where}: {first['msg']}")[:300])

    app.add_middleware(_Failures)
    app.add_middleware(_WithHeaders)
    return app


def bound_socket(address: str, *, only_loopback: bool) -> tuple[socket.socket, str]:
    """Return a socket for browsers, and the address of the page.

    Raises
    ------
    ConfigurationError
        If it cannot be bound, or is not loopback where it must be.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ConfigurationError(
            f"MELTWATCH_CONSOLE_ADDRESS: expected host:port, got {escaped(repr(address))}"
        )
    host = found["ipv6"] or found["host"]
    if only_loopback and not _is_loopback(host):
        raise ConfigurationError(
            f"MELTWATCH_CONSOLE_ADDRESS: expected a loopback address such as 127.0.0.1:8080, got "
            f"{address}: without a login (MELTWATCH_CONSOLE_AUTH=none) nobody else may reach it"
        )
    family = socket.AF_INET6 if found["ipv6"] else socket.AF_INET
    try:
        listener = socket.create_server((host, int(found["port"])), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"MELTWATCH_CONSOLE_ADDRESS: expected a free address, got {address} ({error})"
        ) from None
    shown = f"[{host}]" if found["ipv6"] else host
    return listener, f"http://{shown}:{listener.getsockname()[1]}/"


async def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until cancelled; streams that are open then are cut."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", server_header=False,
        timeout_graceful_shutdown=_STOP_S,
    )  # fmt: skip
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _error(status: int, code: str, message: str) -> JSONResponse:
    content: dict[str, Any] = {"error": {"code": code, "message": message}}
    return JSONResponse(content, status)
