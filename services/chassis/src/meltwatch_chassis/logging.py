"""Structured logs: our lines and the libraries' in one form on standard error."""

import logging as stdlib
import sys
from typing import Any, Literal

import structlog

_LIBRARY_LEVELS = {
    # Its failures reach us as exceptions; by itself it writes thousands of lines an outage.
    "aiokafka": stdlib.CRITICAL,
    "asyncio": stdlib.WARNING,
    "faust": stdlib.WARNING,
    "mode": stdlib.WARNING,
    # Says each attempt of an outage as an error, ten a second; our adapters say it once.
    "kafka": stdlib.CRITICAL,
}


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
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
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
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = stdlib.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, library_level in _LIBRARY_LEVELS.items():
        stdlib.getLogger(name).setLevel(library_level)
    structlog.contextvars.bind_contextvars(service=service)
