"""How records leave: by a spool on disk that outlives outages and crashes, emptied by a thread."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.dependencies import KAFKA, Dependencies
from meltwatch_chassis.furnace_gauge import FurnaceGauge
from meltwatch_chassis.kafka.access import explanation
from meltwatch_chassis.kafka.publisher import right_to_write
from meltwatch_chassis.kafka.writer import Writer
from meltwatch_chassis.metrics import Metrics
from meltwatch_producers.wires import Wire
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

from meltwatch_source_producer.drain import Drain
from meltwatch_source_producer.spool import Spool

_ANSWER_MS: Final = 10_000
_DELIVERY_MS: Final = 15_000
_START_MS: Final = 5_000
_LINGER_MS: Final = 5
_SHOW_NS: Final = NS_PER_S


class SpoolGauges:
    """Shows how full a spool is, once a second at most.

    Parameters
    ----------
    spool
        Whose figures.
    metrics
        Where they are shown.
    clock
        For the age of the oldest record.
    """

    def __init__(self, spool: Spool, metrics: Metrics, clock: Clock) -> None:
        self._spool = spool
        self._metrics = metrics
        self._clock = clock
        self._bytes = FurnaceGauge(metrics.spool_bytes)
        self._dropped = 0
        self._shown_ns = clock.monotonic_ns() - _SHOW_NS

    def show(self) -> None:
        """Set the gauges, unless they were set within the last second."""
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._shown_ns < _SHOW_NS:
            return
        self._shown_ns = now_ns
        figures = self._spool.figures()
        self._bytes.show(figures.bytes_by_furnace)
        oldest_ns = None if figures.oldest_ms is None else figures.oldest_ms * NS_PER_MS
        age_ns = 0 if oldest_ns is None else self._clock.now_ns() - oldest_ns
        self._metrics.spool_oldest.set(max(0, age_ns) / NS_PER_S)
        self._metrics.spool_dropped.inc(figures.dropped - self._dropped)
        self._dropped = figures.dropped


@dataclass(frozen=True, slots=True)
class SpooledDelivery:
    """From a spool on disk into Kafka; what is left waits for the next process.

    Attributes
    ----------
    service
        Name in the counts, and of the spool's file.
    connection
        Arguments of ``connection_arguments``.
    wires
        How chunks travel, by full name of their topic.
    metrics
        For counts and gauges.
    clock
        Wall and monotonic time.
    dependencies
        Told whether the broker takes records.
    """

    service: str
    connection: Mapping[str, Any]
    wires: Mapping[str, Wire[Any]]
    metrics: Metrics
    clock: Clock
    dependencies: Dependencies

    @contextmanager
    def running(self, folder: Path, limit_bytes: int) -> Iterator[Spool]:
        """Give a spool that a thread empties for as long as the context lasts.

        Parameters
        ----------
        folder
            Where its file is.
        limit_bytes
            Bound of what stands on disk.
        """
        with Spool(folder / f"{self.service}.spool", limit_bytes) as spool:
            gauges = SpoolGauges(spool, self.metrics, self.clock)
            connect = partial(_writer, self.connection)
            drain = Drain(spool, connect, self.wires, self._count, self._tell)
            stop = threading.Event()
            work = partial(drain.empty_spool, self.clock, stop, gauges.show)
            thread = threading.Thread(target=work, name="drain", daemon=True)
            thread.start()
            try:
                yield spool
            finally:
                stop.set()
                thread.join()

    def _count(self, topic: str, outcome: str, records: int) -> None:
        self.metrics.records.labels(self.service, topic, outcome).inc(records)

    def _tell(self, error: Exception | None) -> None:
        rights = [right_to_write(topic) for topic in self.wires]
        cause = None if error is None else str(explanation(self.connection, rights, error))
        self.dependencies.tell(KAFKA, "delivery", cause)


def _writer(connection: Mapping[str, Any]) -> AbstractContextManager[Writer]:
    return Writer.connected(
        connection,
        acks="all",
        enable_idempotence=True,
        linger_ms=_LINGER_MS,
        request_timeout_ms=_ANSWER_MS,
        delivery_timeout_ms=_DELIVERY_MS,
        bootstrap_timeout_ms=_START_MS,
        max_block_ms=_START_MS,
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )
