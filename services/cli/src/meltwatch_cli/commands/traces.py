"""``meltwatch traces export``: the way of windows and alarms, for a tracing system."""

import os
import re
from collections.abc import Iterator
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.moment import moment_ns
from meltwatch_schemas.topics import timestamp_ms

from meltwatch_cli import bootstrap
from meltwatch_cli.adapters.interrupt import interruption
from meltwatch_cli.commands.output import DONE, print_notice
from meltwatch_cli.domain.trace_spans import TraceSpan
from meltwatch_cli.settings import located

_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9._\-\[\]:]+/?")


def export(
    *,
    to: Annotated[
        str, Parameter(metavar="URL", help="A collector's OTLP over HTTP: http://host:4318.")
    ],
    since: Annotated[
        str | None,
        Parameter(
            "--from", metavar="WHEN", help="Also what came since then; by default what comes."
        ),
    ] = None,
    share: Annotated[
        float,
        Parameter(validator=Number(gte=0, lte=1), help="Which part of all traces, 0 to 1."),
    ] = 1.0,
    once: Annotated[
        bool, Parameter("--once", help="End where the topics end now, instead of following them.")
    ] = False,
) -> int:
    """Send the traces of windows and alarms to a collector of OpenTelemetry, until Ctrl-C.

    Producers begin traces with MELTWATCH_TRACING=true. All times are those of the records.
    Who exports twice gets the same spans.
    """
    if _ADDRESS.fullmatch(to) is None:
        raise BadUsage(f"--to: expected http://host:port or https://host:port, got {to[:80]!r}")
    clock = SystemClock()
    since_ms = None if since is None else timestamp_ms(moment_ns(since, clock.now_ns()))
    settings = located(os.environ, "kafka")
    sent = 0
    with (
        interruption() as is_over,
        bootstrap.collector(to) as collector,
        bootstrap.trace_topics(settings, share) as topics,
    ):
        for spans in _told(topics.follow(since_ms, is_over, once=once)):
            collector.send(spans)
            sent += len(spans)
        if line := topics.unreadable.line():
            print_notice(line)
    print_notice(f"{sent} spans sent to {to}")
    return DONE


def _told(batches: Iterator[list[TraceSpan]]) -> Iterator[list[TraceSpan]]:
    """Say when the first look is over: from then on nothing that comes is missed."""
    for number, spans in enumerate(batches):
        if number == 0:
            print_notice("following the traces of windows and alarms")
        if spans:
            yield spans
