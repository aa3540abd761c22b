"""Structured logs: our lines and the libraries' in one form on standard error."""

import logging as stdlib
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal

import structlog
from meltwatch_schemas.text import escaped

_OF_SEVERAL_LINES: Final = frozenset({"exception", "stack"})

_LIBRARY_LEVELS = {
    # Its failures reach us as exceptions. Its own log has thousands of lines per outage.
    "aiokafka": stdlib.CRITICAL,
    "asyncio": stdlib.WARNING,
    # Warns of each client that hangs up. Its server's refusals reach clients as status codes.
    "asyncua": stdlib.ERROR,
    # A client's failures reach us as exceptions; it logs each attempt, too.
    "asyncua.client": stdlib.CRITICAL,
    "asyncua.common": stdlib.CRITICAL,
    "pymodbus": stdlib.CRITICAL,
    "faust": stdlib.WARNING,
    "mode": stdlib.WARNING,
    # Logs each attempt of an outage as an error, ten a second. Our adapters log it once.
    "kafka": stdlib.CRITICAL,
    # Its lines show addresses of web services, and the tokens in them.
    "urllib3": stdlib.CRITICAL,
}


def silence(library: str) -> None:
    """Let a library log nothing, where what it would say comes back as a result."""
    stdlib.getLogger(library).setLevel(stdlib.CRITICAL + 1)


def configure(service: str, level: str = "info", form: Literal["json", "console"] = "json") -> None:
    """Send every log line to standard error, stamped with time, level and service.

    Parameters
    ----------
    service
        Added to each line.
    level
        Least severe level to write; libraries are held at warning or above.
    form
        ``json`` for machines, ``console`` for people.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderers: list[Any] = (
        [structlog.processors.JSONRenderer()]
        if form == "json"
        else [_fit_for_people, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = stdlib.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = stdlib.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, library_level in _LIBRARY_LEVELS.items():
        stdlib.getLogger(name).setLevel(library_level)
    structlog.contextvars.bind_contextvars(service=service)


def _fit_for_people(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
    """Escape what a line holds: it must not control a terminal or look like a second line."""
    return {escaped(str(name)): _escaped_value(name, value) for name, value in line.items()}


def _escaped_value(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else repr(value)
    if name not in _OF_SEVERAL_LINES:
        return escaped(text)
    # Never at the left edge, where log lines begin.
    return "\n".join(f"  {escaped(part)}" for part in text.split("\n"))
