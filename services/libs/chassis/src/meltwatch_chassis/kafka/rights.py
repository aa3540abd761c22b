"""Which of our rights a broker does not give: it is asked and nothing is tried, so nothing changes.

No question needs a right of its own, and none is about anything that must be there already.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from kafka.protocol.admin import (
    CreateTopicsRequest,
    DescribeConfigsRequest,
    DescribeGroupsRequest,
    DescribeTransactionsRequest,
)
from kafka.protocol.metadata import MetadataRequest
from meltwatch_schemas.access import Operation, Resource, Right

from meltwatch_chassis.kafka.talk import Talk

_REFUSALS: Final = frozenset({29, 30, 31, 53})
"""Kafka's codes of a missing right: on a topic, a group, the cluster, a transactional id."""
_TOPIC, _BROKER = 2, 4
_NUMBERS: Final = {Operation.READ: 3, Operation.WRITE: 4}
_TIMEOUT_MS: Final = 5_000
_SOME: Final = "meltwatch-asks"
"""Of a right on a prefix: ends the name of a topic that is not there."""


def lacking(talk: Talk, rights: Sequence[Right]) -> list[Right]:
    """Return those rights that the broker does not give us, in their order.

    Parameters
    ----------
    talk
        With a broker that has let us in.
    rights
        Of ``rights_of``.
    """
    told = [right for right in rights if _is_told(right)]
    refused = set(_of_topics(talk, told) if told else ())
    refused |= {right for right in rights if right not in told and _is_refused(talk, right)}
    return [right for right in rights if right in refused]


def _is_told(right: Right) -> bool:
    """Whether a topic's metadata shows the right."""
    is_topic = right.resource is Resource.TOPIC
    return is_topic and right.operation in (*_NUMBERS, Operation.DESCRIBE)


def _name(right: Right) -> str:
    return f"{right.name}{_SOME}" if right.prefixed else right.name


def _of_topics(talk: Talk, rights: Sequence[Right]) -> Iterator[Right]:
    """Yield what is refused of reading, writing and seeing topics; one question for all."""
    names = {_name(right) for right in rights}
    request = MetadataRequest(
        version=8,
        topics=[MetadataRequest.MetadataRequestTopic(name=name) for name in names],
        allow_auto_topic_creation=False,
        include_topic_authorized_operations=True,
    )
    found = {topic.name: topic for topic in talk.ask(request).topics}
    for right in rights:
        topic = found.get(_name(right))
        if topic is not None and _is_withheld(topic, right.operation):
            yield right


def _is_withheld(topic: Any, operation: Operation) -> bool:
    if topic.error_code:  # of a missing topic the broker still says whether we may see it
        return topic.error_code in _REFUSALS
    return operation in _NUMBERS and _NUMBERS[operation] not in topic.authorized_operations


def _is_refused(talk: Talk, right: Right) -> bool:
    codes = [answer.error_code for answer in _answers(talk, right)]
    return any(code in _REFUSALS for code in codes)


def _answers(talk: Talk, right: Right) -> Any:
    """Return the answer to a separate question, for a right that no metadata shows."""
    name = _name(right)
    if right.resource is Resource.GROUP:
        return talk.ask(DescribeGroupsRequest(version=0, groups=[name])).groups
    if right.resource is Resource.TRANSACTIONAL_ID:
        request = DescribeTransactionsRequest(version=0, transactional_ids=[name])
        return talk.ask(request).transaction_states
    if right.operation is Operation.CREATE:
        return talk.ask(_only_checked(name)).topics
    kind, name = (_TOPIC, name) if right.resource is Resource.TOPIC else (_BROKER, "")
    asked = DescribeConfigsRequest.DescribeConfigsResource(
        resource_type=kind, resource_name=name, configuration_keys=[]
    )
    return talk.ask(DescribeConfigsRequest(version=1, resources=[asked])).results


def _only_checked(name: str) -> CreateTopicsRequest:
    """Return the request for a topic that the broker only checks, and never makes."""
    topic = CreateTopicsRequest.CreatableTopic(
        name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[]
    )
    return CreateTopicsRequest(
        version=4, topics=[topic], timeout_ms=_TIMEOUT_MS, validate_only=True
    )
