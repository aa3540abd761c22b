"""Reads the ``/metrics`` of services: within a time, up to a size, and only what is looked at."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.text import escaped
from meltwatch_schemas.window import NS_PER_S
from prometheus_client.parser import text_string_to_metric_families

from meltwatch_console.domain.service_figures import (
    WANTED,
    MetricSample,
    ServiceFigures,
    figures_of,
    rates,
)

PATIENCE_S: Final = 3.0
MOST_BYTES: Final = 8 * 1024 * 1024
_MOST_LINES: Final = 50_000
_KEPT_NS: Final = 4 * NS_PER_S
"""Several pages that look at once cost one question."""
_PART: Final = 64 * 1024
_OK: Final = (b"HTTP/1.0 200", b"HTTP/1.1 200")
_RECORDS: Final = "records"


class ReadingState(StrEnum):
    """What became of a question."""

    OK = "ok"
    AWAY = "away"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ServiceReading:
    """What a service says of itself.

    Attributes
    ----------
    name, address
        Which.
    state, reason
        Whether it was understood, and if not why not.
    figures
        What it counts.
    records_a_second
        By topic, since the reading before.
    """

    name: str
    address: str
    state: ReadingState
    reason: str = ""
    figures: ServiceFigures = field(default_factory=ServiceFigures)
    records_a_second: Mapping[str, float] = field(default_factory=dict)


class _NotMetricsError(Exception):
    """It answers, and not with metrics."""


class MetricsReader:
    """Asks services for their metrics, when somebody looks.

    Parameters
    ----------
    addresses
        ``host:port`` by name.
    clock
        Monotonic time.
    """

    def __init__(self, addresses: Mapping[str, str], clock: Clock) -> None:
        self._addresses = addresses
        self._clock = clock
        self._one = asyncio.Lock()
        self._read_ns: int | None = None
        self._readings: dict[str, ServiceReading] = {}
        self._counted: dict[str, tuple[int, Mapping[str, float]]] = {}

    async def readings(self) -> list[ServiceReading]:
        """Return what each service says now, or said a moment ago."""
        async with self._one:
            now_ns = self._clock.monotonic_ns()
            if self._read_ns is None or now_ns - self._read_ns > _KEPT_NS:
                found = await asyncio.gather(*map(self._read, self._addresses.items()))
                self._readings = {each.name: each for each in found}
                self._read_ns = now_ns
            return list(self._readings.values())

    async def _read(self, whose: tuple[str, str]) -> ServiceReading:
        name, address = whose
        try:
            async with asyncio.timeout(PATIENCE_S):
                content = await _asked(address)
            figures = await asyncio.to_thread(_parsed, content)
        except TimeoutError:
            reason = f"expected an answer within {PATIENCE_S:g} s, got none"
            return ServiceReading(name, address, ReadingState.AWAY, reason)
        except OSError as error:
            return ServiceReading(name, address, ReadingState.AWAY, escaped(str(error))[:200])
        except _NotMetricsError as error:
            return ServiceReading(name, address, ReadingState.REFUSED, escaped(str(error))[:200])
        grown = self._grown(name, figures.sums.get(_RECORDS, {}))
        return ServiceReading(name, address, ReadingState.OK, "", figures, grown)

    def _grown(self, name: str, records: Mapping[str, float]) -> Mapping[str, float]:
        now_ns = self._clock.monotonic_ns()
        before_ns, before = self._counted.get(name, (now_ns, {}))
        self._counted[name] = (now_ns, records)
        return rates(before, records, (now_ns - before_ns) / NS_PER_S)


async def _asked(address: str) -> bytes:
    """Return the body of ``/metrics``.

    Raises
    ------
    OSError
        If nobody answers.
    _NotMetricsError
        If what comes is too large, or no success.
    """
    host, _, port = address.rpartition(":")
    try:
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except OverflowError:
        raise _NotMetricsError(f"expected a port up to 65535, got {port}") from None
    except UnicodeError:  # a label of it is empty or too long
        raise _NotMetricsError(f"expected a host name, got {host[:80]}") from None
    try:
        writer.write(f"GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
        await writer.drain()
        content = bytearray()
        while part := await reader.read(_PART):
            content += part
            if len(content) > MOST_BYTES:
                raise _NotMetricsError(f"expected at most {MOST_BYTES} bytes, got more")
    finally:
        writer.close()
    head, _, body = bytes(content).partition(b"\r\n\r\n")
    if not head.startswith(_OK):
        status = head.partition(b"\r\n")[0][:80].decode(errors="replace")
        raise _NotMetricsError(f"expected HTTP 200, got {status!r}")
    return body


def _parsed(content: bytes) -> ServiceFigures:
    """Return the figures in a text of Prometheus.

    Raises
    ------
    _NotMetricsError
        If it is none, or has too many lines of ours.
    """
    try:
        lines = [line for line in content.decode().splitlines() if _is_wanted(line)]
        if len(lines) > _MOST_LINES:
            raise _NotMetricsError(f"expected at most {_MOST_LINES} lines, got {len(lines)}")
        return figures_of(_samples("\n".join(lines) + "\n"))
    except (ValueError, KeyError, IndexError) as error:
        raise _NotMetricsError(f"expected the text of Prometheus: {error}") from None


def _is_wanted(line: str) -> bool:
    return line.partition("{")[0].partition(" ")[0] in WANTED


def _samples(text: str) -> Iterator[MetricSample]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield MetricSample(sample.name, sample.labels, sample.value)
