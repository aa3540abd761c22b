"""Records to one Kafka topic without ever blocking for long: kafka-python's idempotent producer."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from itertools import count as count_from
from typing import Any, Final, Self

import structlog
from kafka import KafkaProducer
from kafka.errors import AuthorizationError, KafkaError, KafkaTimeoutError
from meltwatch_schemas.access import Operation, Resource, Right
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.window import NS_PER_S

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.dependencies import KAFKA, Dependencies
from meltwatch_chassis.errors import DependencyUnreachable, FatalError
from meltwatch_chassis.kafka.access import (
    TopicMissing,
    explained,
    refusal,
    refused_rights,
    require_access,
)
from meltwatch_chassis.kafka.admin import missing_topics
from meltwatch_chassis.kafka.record import sent_by_kafka_python

LINGER_MS: Final = 2
"""Each window waits so much longer. What comes while an answer is awaited goes together anyway."""
BATCH_BYTES: Final = 256 * 1024
DELIVERY_TIMEOUT_MS: Final = 600_000  # an outage of the broker longer than this loses records
BUFFER_BYTES: Final = 32 * 1024 * 1024
_START_MS: Final = 15_000
_RECONNECT_MS: Final = (
    1_000  # the client's 30 s would keep furnaces waiting for a broker that is back
)
_FLUSH_S: Final = 10.0
_SILENCE_NS: Final = 5 * NS_PER_S
_ASK_AGAIN_NS: Final = NS_PER_S


class DeliveryWatch:
    """Knows what waits for delivery and whether the broker still takes anything.

    Thread-safe: the client settles records in its own thread.

    Parameters
    ----------
    clock
        For how long nothing was delivered.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._progress_ns = clock.monotonic_ns()
        self.waiting_records = 0
        self.waiting_bytes = 0
        self.failure: str | None = None

    def sent(self, size: int) -> None:
        """Note a record of ``size`` bytes handed over."""
        with self._lock:
            if not self.waiting_records:
                self._progress_ns = self._clock.monotonic_ns()
            self.waiting_records += 1
            self.waiting_bytes += size

    def settled(self, size: int, failure: str | None) -> None:
        """Note that a record was delivered, or why it never will be."""
        with self._lock:
            self.waiting_records -= 1
            self.waiting_bytes -= size
            self.failure = failure
            if failure is None:
                self._progress_ns = self._clock.monotonic_ns()

    def problem(self) -> str | None:
        """Return one line if the broker takes nothing, else None."""
        with self._lock:
            if self.failure is not None:
                return f"expected the broker to take records, got {self.failure}"
            silent_ns = self._clock.monotonic_ns() - self._progress_ns
            if self.waiting_records and silent_ns > _SILENCE_NS:
                return (
                    f"expected the broker to take records, {self.waiting_records} have been "
                    f"waiting since {silent_ns // NS_PER_S} s ago"
                )
        return None


class KafkaPublisher:
    """A ``Publisher`` to one topic, partitioned by murmur2 of the key.

    Parameters
    ----------
    connection
        Arguments of ``connection_arguments``.
    topic
        Full name; it must exist.
    count
        Called with an outcome (``delivered``, ``failed``, ``undelivered``) and a number of records.
    clock
        For the delivery watch.
    dependencies
        Told whether the broker takes records.

    Raises
    ------
    DependencyUnreachable
        If no broker answers within 15 s or the topic is missing.
    ConfigurationError
        If the login, TLS or the right to write is wrong.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        topic: str,
        count: Callable[[str, int], None],
        clock: Clock,
        dependencies: Dependencies,
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._count = count
        self._clock = clock
        self._watch = DeliveryWatch(clock)
        self._dependencies = dependencies
        self._numbers = count_from(0)
        self._refused: dict[int, OutgoingRecord] = {}
        self._given_up: KafkaProducer | None = None
        self._asked_ns = 0
        self._producer = _connect(connection, topic)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, record: OutgoingRecord) -> None:
        """Hand a record over; the client delivers, orders and retries it.

        What the broker refuses to let us write is kept, in order, until it lets us again.

        Raises
        ------
        DependencyUnreachable
            If the topic is gone.
        """
        self._watch.sent(len(record.value or b""))
        self._hand_over(next(self._numbers), record)
        self._report()

    def _hand_over(self, number: int, record: OutgoingRecord) -> None:
        if self._refused:  # it would overtake them, and this client does not work any more
            self._refused[number] = record
            return
        try:
            future = self._producer.send(**sent_by_kafka_python(record))
        except AuthorizationError:
            self._refused[number] = record
            return
        except KafkaError as error:
            raise DependencyUnreachable(
                f"{self._topic}: expected to send, got {error!r}"
            ) from error
        future.add_callback(partial(self._delivered, len(record.value or b"")))
        future.add_errback(partial(self._failed, self._producer, number, record))

    def is_full(self) -> bool:
        """Tell whether 32 MiB wait for delivery, or the broker does not let us write."""
        if self._refused:
            self._begin_again()
        self._report()
        return bool(self._refused) or self._watch.waiting_bytes >= BUFFER_BYTES

    def is_idle(self) -> bool:
        """Tell whether nothing waits for delivery."""
        return not self._watch.waiting_records

    def close(self) -> None:
        """Deliver what waits, for at most 10 s; count and say what could not be."""
        with suppress(KafkaTimeoutError):  # the records that it could not flush are counted below
            self._producer.close(timeout=_FLUSH_S)
        self._report()
        if undelivered := self._watch.waiting_records:
            self._count("undelivered", undelivered)
            structlog.get_logger().error(
                "records_undelivered", topic=self._topic, records=undelivered
            )

    def _begin_again(self) -> None:
        """Send what was refused by a new client, once we may: the old one never recovers."""
        rights = [right_to_write(self._topic)]
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._asked_ns < _ASK_AGAIN_NS:
            return
        self._asked_ns = now_ns
        if refusal(self._connection, rights) is not None:
            return
        self._given_up = self._producer  # records that still wait in it come back by its callbacks
        self._given_up.close(timeout=0)
        try:
            self._producer = _connect(self._connection, self._topic)
        except FatalError:
            return  # the right is lost again
        refused, self._refused = sorted(self._refused.items()), {}
        for number, record in refused:
            self._hand_over(number, record)

    def _delivered(self, size: int, *_: object) -> None:
        self._watch.settled(size, None)
        self._count("delivered", 1)

    def _failed(
        self, client: KafkaProducer, number: int, record: OutgoingRecord, error: Exception
    ) -> None:
        if client is self._given_up or isinstance(error, AuthorizationError):
            self._refused[number] = record
        else:
            self._watch.settled(len(record.value or b""), repr(error))
            self._count("failed", 1)

    def _report(self) -> None:
        problem = self._watch.problem()
        if self._refused:
            problem = str(refused_rights(self._connection, [right_to_write(self._topic)]))
        self._dependencies.tell(KAFKA, "delivery", problem)


def right_to_write(topic: str) -> Right:
    """Return the one right that publishing to a topic needs."""
    return Right(Operation.WRITE, Resource.TOPIC, topic)


def _connect(connection: Mapping[str, Any], topic: str) -> KafkaProducer:
    right = right_to_write(topic)
    require_access(connection, [right], patience_ms=_START_MS)
    if missing_topics(connection, [topic]):
        raise TopicMissing(topic, ",".join(connection["bootstrap_servers"]))
    with explained(connection, [right]):
        return KafkaProducer(
            **connection,
            acks="all",
            enable_idempotence=True,
            linger_ms=LINGER_MS,
            batch_size=BATCH_BYTES,
            delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
            bootstrap_timeout_ms=_START_MS,
            max_block_ms=_START_MS,
            reconnect_backoff_max_ms=_RECONNECT_MS,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
