"""Rights that go and come back under services that run."""

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, closing

from kafka import KafkaConsumer, TopicPartition
from meltwatch_chassis.kafka.record import raw_record
from meltwatch_schemas.access import Operation, Resource, Right
from meltwatch_schemas.record import read_current, read_embedding
from meltwatch_schemas.topics import Topic

from tests.integration.secured.bench import PREFIX, Plant, Process
from tests.support.waiting import until


def _on(operation: Operation, topic: Topic) -> Right:
    return Right(operation, Resource.TOPIC, topic.under(PREFIX))


LOST = (
    {
        "video_producer": _on(Operation.WRITE, Topic.EMBEDDINGS),
        "stream_processor": _on(Operation.READ, Topic.CURRENTS),
        "alarm_manager": _on(Operation.WRITE, Topic.HEARTBEATS),
    },
    {
        "current_producer": _on(Operation.WRITE, Topic.CURRENTS),
        "stream_processor": _on(Operation.WRITE, Topic.SCORES),
        "alarm_manager": _on(Operation.READ, Topic.SCORES),
    },
    {
        "stream_processor": Right(Operation.READ, Resource.GROUP, f"{PREFIX}.stream-processor"),
        "alarm_manager": Right(
            Operation.WRITE, Resource.TRANSACTIONAL_ID, f"{PREFIX}.alarm-manager"
        ),
    },
)
"""A round each: who loses what, all at once. Of each kind of resource one, in use or not."""
LOST_IN_REDIS = ("+xadd", f"&{PREFIX}:changes")
"""What no change of a furnace needs: in a quiet hour nothing but the probe would miss it."""
_NUMBERED = {Topic.EMBEDDINGS: read_embedding, Topic.CURRENTS: read_current}


def lose(plant: Plant, services: Mapping[str, Process], lost: Mapping[str, Right]) -> None:
    """Take rights away until each is named; give them back until all are ready."""
    with ExitStack() as taken:
        for user, right in lost.items():
            taken.enter_context(plant.without(user, right))
        for user, right in lost.items():
            words = f"expected {right}, the broker refuses it for user '{user}'"
            services[user].until(lambda said, words=words: words in said)  # type: ignore[misc]
    for service in services.values():
        service.until_ready()


def lose_in_redis(plant: Plant, manager: Process, rule: str) -> None:
    """Take a rule away until it is named; give it back until the manager is ready."""
    plant.give_redis("alarm_manager", without=rule)
    try:
        manager.until(lambda said: "got a refusal" in said and rule[1:] in said)
    finally:
        plant.give_redis("alarm_manager")
    manager.until_ready()


def until_judged(plant: Plant) -> None:
    """Wait until windows are judged that nobody has judged yet."""
    with closing(KafkaConsumer(**plant.kafka.plain)) as consumer:
        before = ends(consumer, Topic.SCORES)
        until(lambda: ends(consumer, Topic.SCORES) >= before + 2, lambda: before)


def ends(consumer: KafkaConsumer, topic: Topic) -> int:
    """Return how many records a topic has had."""
    return sum(consumer.end_offsets(_parts(consumer, topic)).values())


def _parts(consumer: KafkaConsumer, topic: Topic) -> list[TopicPartition]:
    name = topic.under(PREFIX)
    return [TopicPartition(name, number) for number in consumer.partitions_for_topic(name)]


def input_ends(plant: Plant) -> dict[TopicPartition, int]:
    """Return where the input topics end."""
    with closing(KafkaConsumer(**plant.kafka.plain)) as consumer:
        parts = [part for topic in _NUMBERED for part in _parts(consumer, topic)]
        return dict(consumer.end_offsets(parts))


def sent_more_than_once_or_never(plant: Plant, begun: Mapping[TopicPartition, int]) -> list[str]:
    """Return what of the sources' numbers is missing or double behind where topics ended."""
    wrong = []
    for topic, read in _NUMBERED.items():
        with closing(KafkaConsumer(**plant.kafka.plain)) as consumer:
            parts = _parts(consumer, topic)
            consumer.assign(parts)
            for part in parts:
                consumer.seek(part, begun[part])
            last = consumer.end_offsets(parts)
            numbers: dict[str, Counter[int]] = {}
            while any(consumer.position(part) < last[part] for part in parts):
                for record in (r for batch in consumer.poll(500).values() for r in batch):
                    chunk = read(raw_record(record))
                    own = numbers.setdefault(chunk.identity.boot_id, Counter())
                    own.update(range(chunk.identity.seq, chunk.identity.seq + len(chunk.data)))
        for boot_id, counts in numbers.items():
            whole = range(min(counts), max(counts) + 1)
            wrong += [f"{topic} {boot_id} {n}: {counts[n]}" for n in whole if counts[n] != 1]
    return wrong
