"""Who is the active manager: the owner of partition 0 of the commands topic, by group membership.

The group only elects; nothing is consumed through it. Should two processes both believe that
they lead, the transactional producer of the later one fences the earlier one.
"""

from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from meltwatch_chassis.kafka.async_admin import require_topics
from meltwatch_chassis.kafka.errors import kafka_failures
from meltwatch_schemas.topics import Topic

from meltwatch_alarm_manager.adapters.kafka_entry import enter

_SESSION_MS: Final = 6_000
_HEARTBEAT_MS: Final = 1_500
_POLL_MS: Final = 200


class KafkaElection:
    """A candidacy.

    Parameters
    ----------
    connection
        Arguments of the Kafka client.
    prefix
        Topic prefix; the seat is partition 0 of its commands topic.
    group_id
        The electorate.
    required
        Topics that a manager cannot work without.
    instance
        Name of a static member, or None. A static member that is killed and started again is
        back at once; another one is missed for 6 s first.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        prefix: str,
        group_id: str,
        required: Collection[str],
        instance: str | None,
    ) -> None:
        self._connection = connection
        self._required = required
        self._prefix = prefix
        self._seat = TopicPartition(Topic.ALARM_COMMANDS.under(prefix), 0)
        self._owned = _Owned()
        self._consumer = AIOKafkaConsumer(
            **connection,
            group_id=group_id,
            group_instance_id=instance,
            partition_assignment_strategy=(StickyPartitionAssignor,),
            session_timeout_ms=_SESSION_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS,
            enable_auto_commit=False,
        )

    async def __aenter__(self) -> Self:
        self._consumer.subscribe([self._seat.topic], listener=self._owned)
        with kafka_failures("joining the managers' group"):
            try:
                await enter(self._connection, self._prefix)
                await require_topics(self._connection, self._required)
                await self._consumer.start()
            except BaseException:
                await self._consumer.stop()
                raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with kafka_failures("leaving the managers' group"):
            await self._consumer.stop()

    async def leads(self) -> bool:
        """Wait a moment; tell whether this process is the active manager.

        It polls, because a member that never does is put out; the paused partition stays unread.
        """
        with kafka_failures("in the managers' group"):
            self._consumer.pause(*self._consumer.assignment())
            await self._consumer.getmany(timeout_ms=_POLL_MS)
        return self._seat in self._owned.partitions


class _Owned(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Notes the outcome of each election; a rebalance without another outcome changes nothing."""

    def __init__(self) -> None:
        self.partitions: frozenset[TopicPartition] = frozenset()

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Wait for the outcome."""

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Note the outcome."""
        self.partitions = frozenset(assigned)
