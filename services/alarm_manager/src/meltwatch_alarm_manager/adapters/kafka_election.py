"""Who is the active manager: the owner of partition 0 of the commands topic, by group membership.

The group only elects; nothing is consumed through it. Should two processes both believe that
they lead, the transactional producer of the later one fences the earlier one.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from meltwatch_chassis.kafka.async_admin import require_topics
from meltwatch_chassis.kafka.async_consumers import AsyncMember
from meltwatch_schemas.topics import Topic

from meltwatch_alarm_manager.adapters.kafka_entry import enter

_SESSION_MS: Final = 6_000
_HEARTBEAT_MS: Final = 1_500


class KafkaElection:
    """A candidacy.

    Parameters
    ----------
    member
        Of the electorate.
    seat
        Topic and number of the partition whose owner is the active manager.
    """

    def __init__(self, member: AsyncMember, seat: tuple[str, int]) -> None:
        self._member = member
        self._seat = seat

    async def leads(self) -> bool:
        """Wait a moment; tell whether this process is the active manager."""
        return await self._member.owns(self._seat)


@asynccontextmanager
async def open_election(
    connection: Mapping[str, Any],
    prefix: str,
    group_id: str,
    required: Collection[str],
    instance: str | None,
) -> AsyncIterator[KafkaElection]:
    """Stand as a candidate.

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
    await enter(connection, prefix)
    await require_topics(connection, required)
    topic = Topic.ALARM_COMMANDS.under(prefix)
    async with AsyncMember.connected(
        connection,
        topic,
        group_id,
        group_instance_id=instance,
        session_timeout_ms=_SESSION_MS,
        heartbeat_interval_ms=_HEARTBEAT_MS,
    ) as member:
        yield KafkaElection(member, (topic, 0))
