"""``/healthz`` is progress, ``/readyz`` dependencies, ``/metrics`` Prometheus."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from meltwatch_chassis.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Check = Callable[[], str | None]
"""Returns None when all is well, else one line that says what is not."""


@dataclass(frozen=True, slots=True)
class Health:
    """What a supervisor may ask a process.

    Attributes
    ----------
    progress
        Does it get on with its work? (A dependency that is down is no lack of progress.)
    readiness
        Do its dependencies answer?
    """

    progress: Check
    readiness: Check


class _SilentHandler(WSGIRequestHandler):
    timeout = 5.0  # seconds: a client that connects and says nothing must not hold up the probes

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited name
        """Log nothing: probes come every few seconds."""


class HealthServer:
    """Serves health and metrics from a thread, so that a busy event loop cannot hide.

    Parameters
    ----------
    address
        ``host:port``; port 0 takes a free one.
    health
        The checks.
    registry
        The metrics.

    Raises
    ------
    ConfigurationError
        If the address is not ``host:port`` or cannot be bound.
    """

    def __init__(self, address: str, health: Health, registry: CollectorRegistry) -> None:
        self._health = health
        self._metrics: WSGIApplication = make_wsgi_app(registry)
        host, _, port = address.rpartition(":")
        try:
            self._server: WSGIServer = make_server(
                host, int(port), self._answer, handler_class=_SilentHandler
            )
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"MELTWATCH_HEALTH_ADDRESS: expected a free host:port, got {address!r} ({error})"
            ) from error
        self.address = f"{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            return self._metrics(environ, start_response)
        checks = {"/healthz": self._health.progress, "/readyz": self._health.readiness}
        check = checks.get(path)
        problem = check() if check else "expected /healthz, /readyz or /metrics"
        status = "404 Not Found" if check is None else "200 OK" if problem is None else _DOWN
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [((problem or "ok") + "\n").encode()]


_DOWN = "503 Service Unavailable"
