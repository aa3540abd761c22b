"""The one catalogue of rights: who reads, writes, joins and creates what, in Kafka and in Redis.

Services take their topics and names from it, ``meltwatch topics acls`` prints it, and the tests
run the whole product with these rights and no others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meltwatch_schemas.redis_keys import RedisKeys
from meltwatch_schemas.topics import Topic, check_prefix


class Principal(StrEnum):
    """Who logs in: each service, and people and programs by what they do."""

    VIDEO_PRODUCER = "video_producer"
    CURRENT_PRODUCER = "current_producer"
    SOURCE_PRODUCER = "source_producer"
    STREAM_PROCESSOR = "stream_processor"
    SHADOW_PROCESSOR = "shadow_processor"
    ALARM_MANAGER = "alarm_manager"
    NOTIFY_GATEWAY = "notify_gateway"
    SCADA_ADAPTER = "scada_adapter"
    CONSOLE = "console"
    SELFTEST = "selftest"
    BACKTESTER = "backtester"
    JOURNAL = "journal"
    TRACER = "tracer"
    BACKUP = "backup"
    RESTORE = "restore"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    REDRIVER = "redriver"
    TOPICS = "topics"
    SCADA = "scada"


class Operation(StrEnum):
    """What may be done with a resource of Kafka; READ and WRITE include DESCRIBE."""

    READ = "READ"
    WRITE = "WRITE"
    CREATE = "CREATE"
    DESCRIBE = "DESCRIBE"
    DESCRIBE_CONFIGS = "DESCRIBE_CONFIGS"


class Resource(StrEnum):
    """Kinds of resources of Kafka."""

    TOPIC = "TOPIC"
    GROUP = "GROUP"
    TRANSACTIONAL_ID = "TRANSACTIONAL_ID"
    CLUSTER = "CLUSTER"


CLUSTER_NAME: Final = "kafka-cluster"
"""The one resource of the kind CLUSTER."""


@dataclass(frozen=True, slots=True)
class Right:
    """One operation on one resource of Kafka.

    Attributes
    ----------
    operation, resource
        What may be done, and with what kind of thing.
    name
        Of the thing; with ``prefixed`` the beginning of the names of all that are meant.
    """

    operation: Operation
    resource: Resource
    name: str
    prefixed: bool = False

    def __str__(self) -> str:
        """As errors name it, e.g. ``WRITE on topic meltwatch.scores.v1``."""
        kind = self.resource.lower().replace("_", " ")
        if self.resource is Resource.CLUSTER:
            return f"{self.operation} on the cluster"
        return f"{self.operation} on {kind} {self.name}{'*' if self.prefixed else ''}"


class RedisUse(StrEnum):
    """Who writes the view in Redis, who lists it, asks for single alarms, or reads all of it."""

    WRITER = "writer"
    LISTER = "lister"
    ASKER = "asker"
    READER = "reader"


_WRITER_COMMANDS: Final = (
    "evalsha", "script|exists", "script|load", "exists", "scan", "del",
    "hget", "hset", "hmget", "zadd", "zrem", "sadd", "srem", "xadd", "publish",
)  # fmt: skip
_COMMANDS: Final = {
    RedisUse.WRITER: _WRITER_COMMANDS,
    RedisUse.LISTER: ("exists", "scan", "hget"),
    RedisUse.ASKER: ("hget",),
    RedisUse.READER: ("ping", "@read", "subscribe"),
}


@dataclass(frozen=True, slots=True)
class Access:
    """What a principal needs.

    Attributes
    ----------
    inputs, outputs
        Topics that it consumes and that it writes.
    own
        Of the outputs, those that it reads back.
    groups
        Consumer groups that it joins or commits under, without the prefix.
    transactional_ids
        Under which it writes, without the prefix.
    redis
        What it does with the view, if anything.
    """

    inputs: tuple[Topic, ...] = ()
    outputs: tuple[Topic, ...] = ()
    own: tuple[Topic, ...] = ()
    groups: tuple[str, ...] = ()
    transactional_ids: tuple[str, ...] = ()
    redis: RedisUse | None = None

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Every topic that must be there."""
        return tuple(dict.fromkeys((*self.inputs, *self.outputs)))


_STATE: Final = (
    Topic.ALARMS, Topic.ALARM_POINTS, Topic.FURNACE_STATES,
    Topic.ALARM_COMMANDS, Topic.ALARM_RESULTS, Topic.ALARM_RECEIPTS, Topic.PORTRAITS,
)  # fmt: skip
"""What nothing else in the system could fill again."""
_MANAGERS_OFFSETS: Final = "alarm-manager.offsets"

ACCESS: Final = {
    Principal.VIDEO_PRODUCER: Access(outputs=(Topic.EMBEDDINGS,)),
    Principal.CURRENT_PRODUCER: Access(outputs=(Topic.CURRENTS,)),
    Principal.SOURCE_PRODUCER: Access(outputs=(Topic.EMBEDDINGS, Topic.CURRENTS)),
    Principal.STREAM_PROCESSOR: Access(
        inputs=(Topic.EMBEDDINGS, Topic.CURRENTS, Topic.PORTRAITS),
        outputs=(Topic.SCORES, Topic.LATE, Topic.DEAD_LETTERS),
        own=(Topic.SCORES,),
        groups=("stream-processor",),
    ),
    # A stream processor whose ensemble is only watched: what is late or refused is not its matter.
    Principal.SHADOW_PROCESSOR: Access(
        inputs=(Topic.EMBEDDINGS, Topic.CURRENTS, Topic.PORTRAITS),
        outputs=(Topic.SHADOW_SCORES,),
        own=(Topic.SHADOW_SCORES,),
        groups=("shadow-processor",),
    ),
    Principal.ALARM_MANAGER: Access(
        inputs=(
            Topic.SCORES, Topic.ALARM_COMMANDS, Topic.ALARM_POINTS, Topic.FURNACE_STATES,
        ),
        outputs=(Topic.ALARMS, Topic.ALARM_RESULTS, Topic.HEARTBEATS, Topic.DEAD_LETTERS),
        own=(Topic.ALARMS, Topic.ALARM_RESULTS, Topic.HEARTBEATS),
        groups=("alarm-manager", _MANAGERS_OFFSETS),
        transactional_ids=("alarm-manager",),
        redis=RedisUse.WRITER,
    ),
    Principal.NOTIFY_GATEWAY: Access(
        inputs=(Topic.ALARMS, Topic.ALARM_POINTS, Topic.HEARTBEATS, Topic.ALARM_RESULTS),
        outputs=(Topic.ALARM_RECEIPTS, Topic.HEARTBEATS),
        own=(Topic.ALARM_RECEIPTS,),
    ),
    Principal.SCADA_ADAPTER: Access(
        inputs=(Topic.ALARMS, Topic.ALARM_POINTS, Topic.HEARTBEATS, Topic.ALARM_RESULTS),
        outputs=(Topic.ALARM_COMMANDS, Topic.ALARM_RECEIPTS, Topic.HEARTBEATS),
    ),
    # It writes commands and nothing else, not even a sign of life.
    Principal.CONSOLE: Access(
        inputs=(
            Topic.ALARMS, Topic.ALARM_POINTS, Topic.HEARTBEATS, Topic.ALARM_RESULTS,
            Topic.SCORES, Topic.EMBEDDINGS, Topic.CURRENTS,
        ),
        outputs=(Topic.ALARM_COMMANDS,),
    ),
    Principal.SELFTEST: Access(
        inputs=(Topic.SCORES, Topic.ALARMS, Topic.ALARM_RESULTS),
        outputs=(
            Topic.EMBEDDINGS, Topic.CURRENTS,
            Topic.ALARM_POINTS, Topic.ALARM_COMMANDS, Topic.FURNACE_STATES,
        ),
        redis=RedisUse.ASKER,
    ),
    Principal.BACKTESTER: Access(
        inputs=(
            Topic.EMBEDDINGS, Topic.CURRENTS, Topic.SCORES, Topic.SHADOW_SCORES,
            Topic.ALARM_POINTS, Topic.ALARMS, Topic.ALARM_COMMANDS, Topic.PORTRAITS,
        ),
    ),
    Principal.JOURNAL: Access(
        inputs=(
            Topic.ALARMS, Topic.ALARM_COMMANDS, Topic.ALARM_RESULTS, Topic.ALARM_POINTS,
        ),
    ),
    Principal.TRACER: Access(inputs=(Topic.SCORES, Topic.ALARMS)),
    Principal.BACKUP: Access(inputs=_STATE),
    # It writes as the alarm manager, so that Kafka lets only one of both write.
    Principal.RESTORE: Access(
        inputs=_STATE,
        outputs=_STATE,
        groups=(_MANAGERS_OFFSETS,),
        transactional_ids=("alarm-manager",),
    ),
    Principal.OPERATOR: Access(
        inputs=(Topic.ALARMS, Topic.HEARTBEATS, Topic.ALARM_RESULTS),
        outputs=(Topic.ALARM_COMMANDS,),
        redis=RedisUse.LISTER,
    ),
    Principal.ENGINEER: Access(
        inputs=(Topic.ALARM_POINTS, Topic.PORTRAITS),
        outputs=(Topic.ALARM_POINTS, Topic.PORTRAITS),
    ),
    Principal.REDRIVER: Access(
        inputs=(Topic.DEAD_LETTERS,),
        # What services write it does not send again.
        outputs=(Topic.EMBEDDINGS, Topic.CURRENTS, Topic.ALARM_COMMANDS),
    ),
    Principal.TOPICS: Access(),
    Principal.SCADA: Access(
        inputs=(Topic.ALARMS, Topic.HEARTBEATS, Topic.ALARM_RESULTS),
        outputs=(Topic.ALARM_COMMANDS,),
        redis=RedisUse.READER,
    ),
}  # fmt: skip
"""What each principal needs; nothing of it may be taken away, nothing else is needed."""


def rights_of(principal: Principal, prefix: str) -> tuple[Right, ...]:
    """Return the least rights of a principal in Kafka.

    Parameters
    ----------
    principal
        Whose.
    prefix
        First part of the topics' names.
    """
    check_prefix(prefix)
    access = ACCESS[principal]
    return (
        *(_on_topic(Operation.READ, topic, prefix) for topic in (*access.inputs, *access.own)),
        *(_on_topic(Operation.WRITE, topic, prefix) for topic in access.outputs),
        *_on_others(principal, prefix),
        *(Right(Operation.READ, Resource.GROUP, f"{prefix}.{group}") for group in access.groups),
        *(
            Right(Operation.WRITE, Resource.TRANSACTIONAL_ID, f"{prefix}.{name}")
            for name in access.transactional_ids
        ),
    )


def redis_rules(use: RedisUse, prefix: str) -> tuple[str, ...]:
    """Return the rules of ``ACL SETUSER`` that a use of the view needs, beside the password."""
    keys = "~" if use is RedisUse.WRITER else "%R~"
    hears = use in (RedisUse.WRITER, RedisUse.READER)
    channels = (f"&{RedisKeys(prefix).changes}",) if hears else ()
    commands = (f"+{command}" for command in _COMMANDS[use])
    return (f"{keys}{check_prefix(prefix)}:*", *channels, *commands)


def _on_topic(operation: Operation, topic: Topic, prefix: str) -> Right:
    return Right(operation, Resource.TOPIC, topic.under(prefix))


def _on_others(principal: Principal, prefix: str) -> Iterator[Right]:
    """Yield rights that no topic that is read or written names."""
    if principal is Principal.BACKUP:
        yield Right(Operation.DESCRIBE, Resource.GROUP, f"{prefix}.{_MANAGERS_OFFSETS}")
    if principal is Principal.TOPICS:
        for operation in (Operation.CREATE, Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS):
            yield Right(operation, Resource.TOPIC, f"{prefix}.", prefixed=True)
        yield Right(Operation.DESCRIBE_CONFIGS, Resource.CLUSTER, CLUSTER_NAME)
