"""From the spool to Kafka: a second of event time, and the next one when all of it stands.

Sent faster, one kind of record runs ahead of the other, and the join finds the other one late.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.kafka.writer import NotWritten
from meltwatch_producers.wires import Wire
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.text import escaped

from meltwatch_source_producer.spool import Spool, Waiting

_SPAN_MS: Final = 1000
_MOST: Final = 256
_ANSWER_S: Final = 20.0
_PAUSE_S: Final = 1.0
_log = structlog.get_logger()


class EachWriter(Protocol):
    """What writes, and says of each record whether it stands."""

    def write_each(
        self, records: Sequence[OutgoingRecord], timeout_s: float
    ) -> Sequence[NotWritten | None]:
        """Send records; return None of each that stands, else why not."""
        ...


class Drain:
    """Empties a spool into Kafka; a failure of any kind costs time and no record.

    Parameters
    ----------
    spool
        What waits.
    connect
        Opens a new client: one that has failed is not used again.
    wires
        How chunks travel, by full name of their topic.
    count
        Called with a topic, an outcome (``delivered``, ``refused``) and a number of records.
    tell
        Told what is the matter with the delivery: one line, or None.
    """

    def __init__(
        self,
        spool: Spool,
        connect: Callable[[], AbstractContextManager[EachWriter]],
        wires: Mapping[str, Wire[Any]],
        count: Callable[[str, str, int], None],
        tell: Callable[[Exception | None], None],
    ) -> None:
        self._spool = spool
        self._connect = connect
        self._wires = wires
        self._count = count
        self._tell = tell

    def empty_spool(self, clock: Clock, stop: threading.Event, show: Callable[[], None]) -> None:
        """Send what waits until told to stop.

        Parameters
        ----------
        clock
            For the time of sending.
        stop
            Set from outside.
        show
            Called again and again, to show how full the spool is.
        """
        while not stop.is_set():
            try:
                with self._connect() as writer:
                    while not stop.is_set():
                        self._send_oldest(writer, clock.now_ns())
                        show()
            except Exception as error:  # noqa: BLE001 - whatever the client raises, nothing is lost
                self._tell(error)
                show()
                stop.wait(_PAUSE_S)

    def _send_oldest(self, writer: EachWriter, now_ns: int) -> None:
        """Send a second of event time, and forget what stands.

        Raises
        ------
        Exception
            If one record may not stand: it is sent again, with those that stood beside it, by a
            new client.
        """
        waiting = self._spool.oldest(_SPAN_MS, _MOST)
        if not waiting:
            self._spool.wait(_PAUSE_S)
            return
        readable = {one: record for one in waiting if (record := self._outgoing(one, now_ns))}
        outcomes = writer.write_each(list(readable.values()), _ANSWER_S)
        failures = [what for what in outcomes if what is not None and not what.is_final]
        written = list(zip(readable, outcomes, strict=True))
        self._spool.settle([one for one in waiting if one not in readable])
        self._spool.settle([one for one, what in written if what is None or what.is_final])
        for one, what in written:
            if what is None:
                self._count(one.topic, "delivered", 1)
            elif what.is_final:
                self._refuse(one, what.cause)
        if failures:
            raise failures[0].cause
        self._tell(None)

    def _outgoing(self, one: Waiting, now_ns: int) -> OutgoingRecord | None:
        """Return a record as it is sent now; None, counted, of one that cannot be read."""
        try:
            wire = self._wires[one.topic]
            return wire.outgoing(one.topic, wire.decode(one.value), now_ns)
        except (KeyError, ContractViolation) as error:
            self._refuse(one, error)
            return None

    def _refuse(self, one: Waiting, error: Exception) -> None:
        self._count(one.topic, "refused", 1)
        _log.error(
            "record_refused",
            topic=escaped(one.topic),
            furnace=escaped(one.furnace.decode(errors="replace")),
            time_ms=one.time_ms,
            detail=escaped(repr(error)),
        )
