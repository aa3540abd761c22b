"""Which topics the broker has, and which members of the group read them: the ``Group`` port.

A client of kafka-python: aiokafka's does not ask for the ids of topics.
"""

import asyncio
import base64
import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, Self

from kafka import KafkaAdminClient
from kafka import TopicPartition as Part
from kafka.errors import (
    NoError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
    for_code,
)
from kafka.structs import OffsetAndMetadata
from meltwatch_chassis.errors import TransientError

from meltwatch_stream_processor.ports import Census, TopicFacts, TopicPartition

_SETTLED: Final = "Stable"
_TIMEOUT_MS: Final = 10_000
_NO_ID: Final = uuid.UUID(int=0)
_END: Final = -1
"""Kafka's word for the offset that comes next."""


class KafkaGroup:
    """Asks the broker, over one connection as long as it answers.

    Parameters
    ----------
    connection
        Address, TLS and SASL of the broker.
    group_id
        Consumer group.
    topics
        Full names of the topics that are asked about.
    """

    def __init__(
        self, connection: Mapping[str, Any], group_id: str, topics: Collection[str]
    ) -> None:
        self._connection = connection
        self._group_id = group_id
        self._topics = tuple(topics)
        self._admin: KafkaAdminClient | None = None
        self._asking = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        async with self._asking:
            await asyncio.to_thread(self._close)

    async def census(self) -> Census:
        """Return the topics as they are now, and who reads them.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        async with self._asking:
            return await asyncio.to_thread(self._census)

    async def begin_now(self, topics: Iterable[str]) -> None:
        """Let the group begin with what comes from now on, where it has read nothing yet.

        Without it a new group reads all that Kafka holds: a week of windows that are old.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        async with self._asking:
            await asyncio.to_thread(self._begin_now, list(topics))

    def _begin_now(self, topics: list[str]) -> None:
        try:
            admin = self._connected()
            known = {
                part
                for part, commit in admin.list_group_offsets(self._group_id)[self._group_id].items()
                if commit.offset >= 0
            }
            parts = [
                Part(facts["name"], partition["partition_index"])
                for facts in admin.describe_topics(topics)
                for partition in facts["partitions"]
            ]
            new = [part for part in parts if part not in known]
            ends = admin.list_partition_offsets(dict.fromkeys(new, _END)) if new else {}
            starts = {part: OffsetAndMetadata(end.offset, "", -1) for part, end in ends.items()}
            if starts:
                _check_begun(admin.alter_group_offsets(self._group_id, starts))
        except Exception as error:  # KafkaError, or whatever an answer does to the client
            self._close()
            text = f"asking where the group begins: {type(error).__name__}: {error}"
            raise TransientError(text) from error

    def _connected(self) -> KafkaAdminClient:
        if self._admin is None:
            self._admin = KafkaAdminClient(**self._connection, request_timeout_ms=_TIMEOUT_MS)
        return self._admin

    def _census(self) -> Census:
        try:
            admin = self._connected()
            topics = admin.describe_topics(list(self._topics))
            group = admin.describe_groups([self._group_id])[self._group_id]
            return Census(_facts(topics), _owned(group))
        except Exception as error:  # KafkaError, or whatever an answer does to the client
            self._close()
            text = f"asking who reads which topics: {type(error).__name__}: {error}"
            raise TransientError(text) from error

    def _close(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()


def _check_begun(answers: Mapping[Any, type[Exception]]) -> None:
    # Whoever has joined meanwhile has begun: then none of it is needed.
    for error in {*answers.values()} - {NoError, UnknownMemberIdError}:
        raise error


def _facts(topics: Iterable[Mapping[str, Any]]) -> dict[str, TopicFacts]:
    """Return those topics that are there."""
    facts = {}
    for topic in topics:
        error = for_code(topic["error_code"])
        if error is UnknownTopicOrPartitionError:
            continue
        if error is not NoError:
            raise error(topic["name"])
        facts[topic["name"]] = TopicFacts(_id_of(topic), len(topic["partitions"]))
    return facts


def _id_of(topic: Mapping[str, Any]) -> str | None:
    """Return a topic's id as Kafka's own tools print it; None from a broker without ids."""
    found = uuid.UUID(str(topic.get("topic_id") or _NO_ID))
    if found == _NO_ID:
        return None
    return base64.urlsafe_b64encode(found.bytes).decode().rstrip("=")


def _owned(group: Mapping[str, Any]) -> frozenset[TopicPartition] | None:
    """Return what the members have been assigned; None while the group has not settled."""
    if group["error"] or group["group_state"] != _SETTLED:
        return None
    return frozenset(
        TopicPartition(topic["topic"], number)
        for member in group["members"]
        if isinstance(assignment := member["member_assignment"], Mapping)
        for topic in assignment["assigned_partitions"]
        for number in topic["partitions"]
    )
