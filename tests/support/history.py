"""A history in memory, kept honest by the laws that Kafka's and a recording's are held to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from meltwatch_backtester.ports import OffsetRange, Saved, TopicPart
from meltwatch_schemas.record import RawRecord


class HistoryInMemory:
    """Records of parts, by offset; bounds are theirs unless given."""

    saved: Saved | None = None

    def __init__(
        self,
        records: Mapping[TopicPart, Sequence[RawRecord]],
        bounds: Mapping[TopicPart, OffsetRange] | None = None,
        prefix: str = "meltwatch",
        partitions: int = 3,
    ) -> None:
        self.prefix = prefix
        self.partitions = partitions
        self._records = records
        self._bounds = bounds or {}

    def bounds(self, part: TopicPart) -> OffsetRange:
        records = self._records.get(part, ())
        whole = (
            OffsetRange(records[0].offset, records[-1].offset + 1) if records else OffsetRange(0, 0)
        )
        return self._bounds.get(part, whole)

    def start_at(self, part: TopicPart, time_ns: int) -> int:
        later = (
            record.offset
            for record in self._records.get(part, ())
            if record.timestamp_ms >= time_ns // 1_000_000
        )
        return next(later, self.bounds(part).end)

    def read(self, part: TopicPart, start: int, end: int) -> Iterator[RawRecord]:
        return (record for record in self._records.get(part, ()) if start <= record.offset < end)


def by_part(
    records: Iterable[tuple[TopicPart, RawRecord]],
) -> dict[TopicPart, list[RawRecord]]:
    """Sort records into their parts."""
    found: dict[TopicPart, list[RawRecord]] = {}
    for part, record in records:
        found.setdefault(part, []).append(record)
    return found
