"""Who of the group has which input partitions, behind the ``Group`` port."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError
from meltwatch_chassis.errors import TransientError

from meltwatch_stream_processor.ports import TopicPartition

_SETTLED: Final = "Stable"


class KafkaGroup:
    """Asks the broker; a client for each question, because only a worker without work asks.

    Parameters
    ----------
    connection
        Address, TLS and SASL of the broker.
    group_id
        Consumer group.
    topics
        What it reads.
    """

    def __init__(
        self, connection: Mapping[str, Any], group_id: str, topics: Collection[str]
    ) -> None:
        self._connection = connection
        self._group_id = group_id
        self._topics = topics

    async def unowned(self) -> Sequence[TopicPartition]:
        """Return the input partitions that no member of the group has.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        admin = AIOKafkaAdminClient(**self._connection)
        try:
            await admin.start()
            topics = await admin.describe_topics(list(self._topics))
            (answer,) = await admin.describe_consumer_groups([self._group_id])
        except KafkaError as error:
            text = f"asking who has partitions: {type(error).__name__}: {error}"
            raise TransientError(text) from error
        finally:
            await admin.close()
        owned = _owned(answer)
        there = [
            TopicPartition(topic["topic"], part["partition"])
            for topic in topics
            for part in topic["partitions"]
        ]
        return sorted(part for part in there if part not in owned)


def _owned(answer: Any) -> set[TopicPartition]:
    """Return what the members of the described group have been assigned."""
    (group,) = answer.groups
    _, _, state, _, _, members, *_ = group
    if state != _SETTLED:
        raise TransientError(f"asking who has partitions: the group is in state {state}")
    return {
        TopicPartition(*part)
        for *_, assignment in members
        for part in ConsumerProtocolMemberAssignment.decode(assignment).partitions()
    }
