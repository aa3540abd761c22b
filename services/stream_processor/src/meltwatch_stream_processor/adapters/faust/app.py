"""The Faust shell: consumption and assignment, nothing else.

Faust's consumer hands every record of both input topics on as it came. Its streams, agents, joins,
windows, tables, web server, acknowledgement and serializers are not used.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import faust
import mode
from faust.transport.drivers.aiokafka import Consumer
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.kafka.record import told
from meltwatch_schemas.record import RawRecord
from mode.services import WaitResults

from meltwatch_stream_processor.ports import TopicPartition

# One fetch of one partition, which also arrives after a pause.
_FETCH_BYTES: Final = 1024 * 1024
_CRASH_POLL_S: Final = 0.5
_NEVER_S: Final = 365 * 24 * 3600.0

PartitionsCall = Callable[[Iterable[TopicPartition]], Awaitable[None]]


class DirectConsumer(Consumer):
    """Faust's consumer on a short way to the pipeline: gives each record to its callback at once.

    Faust's own way is conductor, event, queue, stream and agent, each in a step of the event loop
    of its own, behind four tasks that race each record with a rebalance (ADR 0038). What Faust
    checks before stays as it is: a record is handed on only while the flow goes and the generation
    of the group is the one in which it was fetched.
    """

    async def wait_first(self, *coros: Any, timeout: Any = None) -> WaitResults:  # noqa: ASYNC109 - Faust's
        """Wait as Faust does, but for its callback, which takes a record at once.

        For each record Faust waits for its callback or the beginning of a rebalance, whichever is
        sooner, as the callback may wait for room in a queue. Ours waits for nobody.
        """
        if len(coros) == 1:
            return await super().wait_first(*coros, timeout=timeout)
        taking, rebalance = coros
        rebalance.close()
        return WaitResults([taking], [await taking], False)


class StatelessApp(faust.App):
    """A Faust app without tables, which therefore needs no folder to keep them in."""

    # Otherwise it would log under our name and at our level.
    logger = mode.get_logger("faust")
    on_record: Callable[[RawRecord], None]

    async def _hand_on(self, message: Any) -> None:
        # Faust lets others run before each hundredth record: its assignment may be over by now.
        if message.generation_id == self.consumer_generation_id:
            self.on_record(told(_raw(message)))

    def _new_consumer(self) -> DirectConsumer:
        return DirectConsumer(
            self.transport,
            callback=self._hand_on,
            on_partitions_revoked=self._on_partitions_revoked,
            on_partitions_assigned=self._on_partitions_assigned,
            beacon=self.beacon,
            loop=self.transport.loop,
        )

    def _create_directories(self) -> None:
        """Create nothing: the service runs on a read-only file system."""


def build_app(
    connection: Mapping[str, Any],
    group: str,
    session_timeout_s: float,
    instance_id: str | None = None,
) -> StatelessApp:
    """Return the app; nothing connects before it is started.

    Parameters
    ----------
    connection
        Address, TLS and SASL of the broker, as aiokafka names them.
    group
        Consumer group.
    session_timeout_s
        After this silence another process takes over; the request timeout stays above it.
    instance_id
        Name of a static group member, or None.
    """
    return StatelessApp(
        group,
        broker=[f"kafka://{server}" for server in connection["bootstrap_servers"]],
        broker_credentials=_credentials(connection),
        broker_session_timeout=session_timeout_s,
        # Those that stay learn of a rebalance by their next heartbeat: part of every takeover.
        broker_heartbeat_interval=session_timeout_s / 12,
        broker_rebalance_timeout=max(30.0, session_timeout_s),
        broker_request_timeout=max(30.0, 2 * session_timeout_s),
        # Any limit stalls reading for about a second again and again.
        broker_max_poll_records=None,
        consumer_max_fetch_size=_FETCH_BYTES,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=instance_id,
        # Windows take minutes of event time: a rebalance must not wait for them.
        stream_wait_empty=False,
        # A paused partition is no fault; our own health check looks at progress.
        stream_processing_timeout=_NEVER_S,
        producer_linger=0.0,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        worker_redirect_stdouts=False,
        autodiscover=False,
        store="memory://",
    )


def connect(
    app: StatelessApp,
    topics: Iterable[str],
    on_record: Callable[[RawRecord], None],
    on_assigned: PartitionsCall,
    on_revoked: PartitionsCall,
) -> None:
    """Let an app's records and assignments reach the pipeline.

    Parameters
    ----------
    app
        Not yet started.
    topics
        Both input topics, with equal partition counts.
    on_record
        Takes a record without waiting, in the very step in which Faust has checked that it
        belongs to the present assignment.
    on_assigned, on_revoked
        Awaited within the rebalance.
    """
    app.on_record = on_record
    # Faust subscribes to what is named here. Without acknowledgement it keeps no account of
    # offsets; the pipeline commits.
    app.topics.add(app.topic(*topics, acks=False))

    @app.on_partitions_assigned.connect(weak=False)
    async def assigned(_: faust.App, assigned: Iterable[Any], **__: Any) -> None:
        await on_assigned(TopicPartition(*part) for part in assigned)

    @app.on_partitions_revoked.connect(weak=False)
    async def revoked(_: faust.App, revoked: Iterable[Any], **__: Any) -> None:
        await on_revoked(TopicPartition(*part) for part in revoked)


async def until_crashed(app: faust.App) -> None:
    """Wait until Faust gives up, which ends in an error.

    Raises
    ------
    FatalError
        With Faust's reason: without its consumer this process only looks alive.
    """
    while not app.crashed:  # noqa: ASYNC110 - mode keeps its event to itself
        await asyncio.sleep(_CRASH_POLL_S)
    raise FatalError(f"Faust crashed: {app.crash_reason!r}") from app.crash_reason


def _raw(message: Any) -> RawRecord:
    return RawRecord(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp_ms=round(message.timestamp * 1000),
        key=message.key,
        value=message.value,
        headers=tuple(message.headers or ()),
    )


def _credentials(connection: Mapping[str, Any]) -> Any:
    context: ssl.SSLContext | None = connection.get("ssl_context")
    if connection["security_protocol"].startswith("SASL"):
        return faust.SASLCredentials(
            username=connection["sasl_plain_username"],
            password=connection["sasl_plain_password"],
            mechanism=connection["sasl_mechanism"],
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context=context)
