"""What stands in Kafka after a campaign, read by a plain client and decoded by hand.

Imports nothing of the product: messages are taken apart with msgpack and NumPy alone.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
INPUTS: Final = tuple(TOPICS.values())
MARK: Final = "chaos-expected"
"""A header of strangers: why each must be refused."""
CODES: Final = "chaos-codes"
"""A header of commands: the answers that are right, with ``|`` between."""
BY_STATE: Final = "ok|stale|wrong_state"
"""What the alarm's state allows at the moment when the command is read."""
Raw = tuple[bytes | None, bytes | None]
Place = tuple[str, int, int]
"""Short name of a topic, partition, offset."""
_SAID: Final = ("topic", "partition", "offset", "error", "service")
_MESSAGES: Final = {"alarms": "alarms", "alarm-commands": "commands", "alarm-results": "results"}
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
    stamp
        Its timestamp in Kafka, ns.
    seq, boot
        As its source counts.
    """

    modality: str
    partition: int
    offset: int
    furnace: str
    source: str
    times: tuple[int, ...]
    values: NDArray[Any]
    ingest: int
    raw: Raw
    stamp: int
    seq: int
    boot: str

    @property
    def last(self) -> int:
        return self.times[-1]

    @property
    def place(self) -> Place:
        return TOPICS[self.modality], self.partition, self.offset


@dataclass(frozen=True)
class Stranger:
    """A record that nobody may take for a message: it was sent to do harm.

    Attributes
    ----------
    place
        Where it stands.
    raw
        Key and value.
    expected
        Why it must be refused, in the words of ``dlq.error``.
    """

    place: Place
    raw: Raw
    expected: str


@dataclass(frozen=True)
class Letter:
    """A dead letter.

    Attributes
    ----------
    place
        Where the refused record stands.
    raw
        Key and value.
    error, service
        Why, and who refused it.
    """

    place: Place
    raw: Raw
    error: str
    service: str


@dataclass(frozen=True)
class Message:
    """One JSON message of the alarms: an alarm record, a command or an answer.

    Attributes
    ----------
    place, key, headers
        Where it stands, and what stands beside it.
    fields
        The message as it is on the wire.
    """

    place: Place
    key: str
    headers: Mapping[str, str]
    fields: Mapping[str, Any]


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
    def digest(self) -> str:
        """Of the ensemble that it names."""
        return str(self.fields["model"]["digest"])

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
    late
        Key and value of each copy.
    dead
        The dead letters.
    strangers
        Records on any topic that was read which must end there.
    alarms, commands, results
        What was said of the alarms, to them, and in answer.
    alarms_as_read
        Alarm ids and records as any reader sees them, forgeries among them; None for a tombstone.
    points
        By alarm id, the newest alarm point that was written.
    """

    chunks: dict[tuple[int, str], list[Chunk]] = field(default_factory=dict)
    scores: list[Score] = field(default_factory=list)
    late: list[Raw] = field(default_factory=list)
    dead: list[Letter] = field(default_factory=list)
    strangers: list[Stranger] = field(default_factory=list)
    alarms: list[Message] = field(default_factory=list)
    commands: list[Message] = field(default_factory=list)
    results: list[Message] = field(default_factory=list)
    alarms_as_read: list[tuple[str, Mapping[str, Any] | None]] = field(default_factory=list)
    points: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def partitions(self) -> list[int]:
        return sorted({partition for partition, _ in self.chunks})

    @property
    def size(self) -> int:
        """How much was written by services."""
        return len(self.scores) + len(self.alarms) + len(self.results) + len(self.dead)


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
            isolation_level="read_committed",
        )
        names = [
            *INPUTS,
            "scores",
            "late",
            "dead-letters",
            "alarm-points",
            "furnace-states",
            "heartbeats",
            *_MESSAGES,
        ]
        self._names = {f"{prefix}.{name}.v1": name for name in names}
        self._parts = [
            TopicPartition(topic, number)
            for topic in self._names
            for number in sorted(self._consumer.partitions_for_topic(topic))
        ]
        self._consumer.assign(self._parts)
        self._consumer.seek_to_beginning(*self._parts)
        self._tape = Tape()

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
        tape, raw, headers = self._tape, (record.key, record.value), dict(record.headers)
        place = (name, record.partition, record.offset)
        if name == "alarms":
            tape.alarms_as_read.extend(_as_read(record))
        if name == "dead-letters":
            tape.dead.append(self._letter(raw, headers))
        elif MARK in headers:
            tape.strangers.append(Stranger(place, raw, headers[MARK].decode()))
        elif name == "scores":
            tape.scores.append(_score(record))
        elif name == "late":
            tape.late.append(raw)
        elif name == "alarm-points" and record.value is not None:
            tape.points[record.key.decode()] = json.loads(record.value)
        elif name in _MESSAGES and record.value is not None:
            said = {key: value.decode(errors="replace") for key, value in headers.items()}
            message = Message(place, record.key.decode(), said, json.loads(record.value))
            getattr(tape, _MESSAGES[name]).append(message)
        elif name in TOPICS.values():
            chunk = _chunk(record, next(m for m in MODALITIES if TOPICS[m] == name))
            tape.chunks.setdefault((record.partition, chunk.modality), []).append(chunk)

    def _letter(self, raw: Raw, headers: Mapping[str, bytes]) -> Letter:
        said = {name: headers[f"dlq.{name}"].decode() for name in _SAID}
        name = said["topic"].removeprefix(f"{self._prefix}.").removesuffix(".v1")
        place = (name, int(said["partition"]), int(said["offset"]))
        return Letter(place, raw, said["error"], said["service"])


def _as_read(record: ConsumerRecord) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """An alarm record as a reader takes it; one that is none he passes over."""
    try:
        key = (record.key or b"").decode()
        fields = None if record.value is None else json.loads(record.value)
    except ValueError:
        return
    if fields is None or {"alarm_id", "epoch", "seq", "state"} <= fields.keys():
        yield key, fields


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
        stamp=record.timestamp * 1_000_000,
        seq=fields["seq"],
        boot=fields["boot_id"],
    )


def _score(record: ConsumerRecord) -> Score:
    return Score(record.partition, record.offset, msgpack.unpackb(record.value))
