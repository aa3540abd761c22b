"""The Faust shell: consumption and assignment, nothing else.

One agent over both input topics hands every record on as it came. Faust's joins, windows,
tables, web server, acknowledgement and serializers are not used.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import faust
import mode
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.kafka.record import told
from meltwatch_schemas.record import RawRecord

from meltwatch_stream_processor.ports import TopicPartition

# The records that wait between Faust's fetcher and our pipeline: 64 of at most 256 KiB.
_BUFFERED_RECORDS: Final = 64
# One fetch of one partition, which also arrives after a pause.
_FETCH_BYTES: Final = 1024 * 1024
_CRASH_POLL_S: Final = 0.5
_NEVER_S: Final = 365 * 24 * 3600.0

PartitionsCall = Callable[[Iterable[TopicPartition]], Awaitable[None]]


class StatelessApp(faust.App):
    """A Faust app without tables, which therefore needs no folder to keep them in."""

    # Otherwise it would log under our name and at our level.
    logger = mode.get_logger("faust")

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
        # Any limit stalls the agent for about a second again and again.
        broker_max_poll_records=None,
        consumer_max_fetch_size=_FETCH_BYTES,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=instance_id,
        stream_buffer_maxsize=_BUFFERED_RECORDS,
        # Windows take minutes of event time: a rebalance must not wait for them.
        stream_wait_empty=False,
        # A paused partition is no fault; our own health check looks at progress.
        stream_processing_timeout=_NEVER_S,
        producer_linger=0.0,
        key_serializer="raw",
        value_serializer="raw",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        worker_redirect_stdouts=False,
        autodiscover=False,
        store="memory://",
    )


def connect(
    app: faust.App,
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
    # Without acknowledgement Faust keeps no account of offsets; the pipeline commits.
    channel = app.topic(*topics, key_type=bytes, value_type=bytes, acks=False, allow_empty=True)

    @app.agent(channel)
    async def hand_on(stream: Any) -> None:
        async for event in stream.noack().events():
            on_record(told(_raw(event.message)))

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
