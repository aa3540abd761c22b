"""What stands in Kafka after a campaign, read by a plain client and decoded by hand.

Imports nothing of the product: messages are taken apart with msgpack and NumPy alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import msgpack
import numpy as np
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from numpy.typing import NDArray

VIDEO: Final = "video"
CURRENT: Final = "current"
MODALITIES: Final = (VIDEO, CURRENT)
TOPICS: Final = {VIDEO: "embeddings", CURRENT: "currents"}
_POLL_MS: Final = 500


@dataclass(frozen=True)
class Chunk:
    """One record of an input topic.

    Attributes
    ----------
    modality, partition, offset
        Where it stands.
    furnace, source
        Whose it is.
    times
        Event times, ns.
    values
        Frames ``[n, 64, d]`` float16 or samples ``[n, 3]`` float32.
    ingest
        When it was sent, ns.
    raw
        Key and value.
    """

    modality: str
    partition: int
    offset: int
    furnace: str
    source: str
    times: tuple[int, ...]
    values: NDArray[Any]
    ingest: int
    raw: tuple[bytes, bytes]

    @property
    def last(self) -> int:
        return self.times[-1]


@dataclass(frozen=True)
class Score:
    """One record of the scores topic.

    Attributes
    ----------
    partition, offset
        Where it stands.
    fields
        The message as it is on the wire.
    """

    partition: int
    offset: int
    fields: Mapping[str, Any]

    @property
    def furnace(self) -> str:
        return str(self.fields["furnace_id"])

    @property
    def end(self) -> int:
        return int(self.fields["window_end_ns"])

    @property
    def cut(self) -> dict[str, int | None]:
        """Per modality the last offset handed on."""
        return {modality: self._input(modality)[2] for modality in MODALITIES}

    @property
    def needed(self) -> dict[str, int | None]:
        """Per modality the first offset needed."""
        return {modality: self._input(modality)[1] for modality in MODALITIES}

    def _input(self, modality: str) -> list[Any]:
        ending = f".{TOPICS[modality]}.v1"
        (found,) = (cut for topic, cut in self.fields["inputs"].items() if topic.endswith(ending))
        return list(found)

    @property
    def published(self) -> int:
        return int(self.fields["times"]["published_ns"])


@dataclass(frozen=True)
class Tape:
    """All that a campaign left in Kafka.

    Attributes
    ----------
    chunks
        Per partition and modality, the records in offset order.
    scores
        In offset order per partition.
    late, dead
        Key and value of each copy, and of each dead letter with its error.
    """

    chunks: dict[tuple[int, str], list[Chunk]]
    scores: list[Score]
    late: list[tuple[bytes, bytes]]
    dead: list[tuple[bytes, bytes, str]]

    @property
    def partitions(self) -> list[int]:
        return sorted({partition for partition, _ in self.chunks})


class Reader:
    """Reads the topics of a campaign; asked again, it reads what came since.

    Parameters
    ----------
    kafka
        Bootstrap servers.
    prefix
        Of the topics.
    """

    def __init__(self, kafka: str, prefix: str) -> None:
        self._prefix = prefix
        self._consumer = KafkaConsumer(
            bootstrap_servers=kafka.split(","),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        names = [*TOPICS.values(), "scores", "late", "dead-letters"]
        self._names = {f"{prefix}.{name}.v1": name for name in names}
        self._parts = [
            TopicPartition(topic, number)
            for topic in self._names
            for number in sorted(self._consumer.partitions_for_topic(topic))
        ]
        self._consumer.assign(self._parts)
        self._consumer.seek_to_beginning(*self._parts)
        self._tape = Tape({}, [], [], [])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def tape(self) -> Tape:
        """Everything up to now; the same tape each time, grown."""
        ends = self._consumer.end_offsets(self._parts)
        while any(self._consumer.position(part) < ends[part] for part in self._parts):
            for part, records in self._consumer.poll(timeout_ms=_POLL_MS).items():
                for record in records:
                    self._take(self._names[part.topic], record)
        return self._tape

    def _take(self, name: str, record: ConsumerRecord) -> None:
        tape = self._tape
        if name == "scores":
            tape.scores.append(_score(record))
        elif name == "late":
            tape.late.append((record.key, record.value))
        elif name == "dead-letters":
            tape.dead.append((record.key, record.value, _header(record, "dlq.error")))
        else:
            chunk = _chunk(record, next(m for m in MODALITIES if TOPICS[m] == name))
            tape.chunks.setdefault((record.partition, chunk.modality), []).append(chunk)


def _chunk(record: ConsumerRecord, modality: str) -> Chunk:
    fields = msgpack.unpackb(record.value)
    if modality == VIDEO:
        times = np.frombuffer(fields["event_times_ns"], "<i8").tolist()
        shape, dtype = (fields["count"], fields["patches"], fields["dims"]), "<f2"
    else:
        first, step = fields["event_time_ns"], fields["period_ns"]
        times = [first + step * number for number in range(fields["count"])]
        shape, dtype = (fields["count"], 3), "<f4"
    return Chunk(
        modality=modality,
        partition=record.partition,
        offset=record.offset,
        furnace=fields["furnace_id"],
        source=fields["source_id"],
        times=tuple(times),
        values=np.frombuffer(fields["data"], dtype).reshape(shape),
        ingest=fields["ingest_time_ns"],
        raw=(record.key, record.value),
    )


def _score(record: ConsumerRecord) -> Score:
    return Score(record.partition, record.offset, msgpack.unpackb(record.value))


def _header(record: ConsumerRecord, name: str) -> str:
    return dict(record.headers)[name].decode()
