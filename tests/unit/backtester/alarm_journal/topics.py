"""Alarm topics in memory, as Kafka would hold them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from meltwatch_backtester.domain.volume import KafkaNow
from meltwatch_schemas.alarm import ALARM_SCHEMA, AlarmRecord
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.record import JSON, RawRecord
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS

from tests.unit.core.alarms.kpi.story import at_ns


@dataclass
class TopicInMemory:
    """One topic: records by offset, markers between them."""

    topic_id: str | None = "first"
    now_ns: int = 0
    start: int = 0
    records: list[RawRecord] = field(default_factory=list)
    end: int = 0

    def name(self, topic: Topic) -> str:
        return topic.under("test")

    def now(self, topic: Topic) -> KafkaNow:
        return KafkaNow(self.topic_id, self.start, self.end, self.now_ns)

    def read(self, topic: Topic, start: int, end: int) -> Iterator[RawRecord]:
        return (each for each in self.records if start <= each.offset < end)

    def put(
        self,
        key: bytes | None,
        value: bytes | None,
        second: float,
        schema: str = ALARM_SCHEMA,
        topic: Topic = Topic.ALARMS,
    ) -> None:
        """Write a record, and the marker of its transaction behind it."""
        headers = (("schema", schema.encode()), ("content-type", JSON.encode()))
        place = (self.name(topic), 0, self.end, at_ns(second) // NS_PER_MS)
        self.records.append(RawRecord(*place, key, value, headers))
        self.end += 2
        self.now_ns = max(self.now_ns, at_ns(second))

    def tell(self, record: AlarmRecord) -> None:
        """Write an alarm record at its own time."""
        second = (ns_from_utc(record.times.published) - at_ns(0)) / 1e9
        self.put(record.alarm_id.encode(), record.to_json(), second)
