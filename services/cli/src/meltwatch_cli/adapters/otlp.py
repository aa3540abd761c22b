"""Sends spans to a collector by OTLP over HTTP, with OpenTelemetry's own exporter.

Headers, certificates and time-outs are its own settings: ``OTEL_EXPORTER_OTLP_…``.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from meltwatch_chassis import logging
from meltwatch_chassis.errors import DependencyUnreachable
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext, TraceFlags

from meltwatch_cli.domain.trace_spans import TraceSpan

_AT_ONCE: Final = 500
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


class Collector:
    """A collector that takes traces.

    Parameters
    ----------
    exporter
        OpenTelemetry's.
    address
        As messages name it.
    """

    def __init__(self, exporter: OTLPSpanExporter, address: str) -> None:
        self._exporter = exporter
        self._address = address
        self._resource = Resource.create({"service.name": "meltwatch"})

    def send(self, spans: Sequence[TraceSpan]) -> None:
        """Send spans; return once the collector has them.

        Raises
        ------
        DependencyUnreachable
            If it does not take them.
        """
        for start in range(0, len(spans), _AT_ONCE):
            part = [self._readable(span) for span in spans[start : start + _AT_ONCE]]
            if self._exporter.export(part) is not SpanExportResult.SUCCESS:
                raise DependencyUnreachable(
                    f"collector at {self._address}: expected it to take {len(part)} spans, it did "
                    "not; does it listen for OTLP over HTTP there?"
                )

    def _readable(self, span: TraceSpan) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=_context(span.trace_id, span.span_id),
            parent=None if span.parent_id is None else _context(span.trace_id, span.parent_id),
            resource=self._resource,
            attributes=dict(span.attributes),
            start_time=span.start_ns,
            end_time=span.end_ns,
        )


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=_SAMPLED)


@contextmanager
def collector(address: str) -> Iterator[Collector]:
    """Give a collector.

    Parameters
    ----------
    address
        ``http://host:port`` or ``https://…``.
    """
    logging.silence("opentelemetry")  # it says each try, and that it gives up
    exporter = OTLPSpanExporter(endpoint=f"{address.rstrip('/')}/v1/traces")
    try:
        yield Collector(exporter, address)
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]
