"""Recordings of simulated furnaces in the form of ``meltwatch record``, with labels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from meltwatch_chassis.label_file import labels_as_csv
from meltwatch_chassis.recording.manifest import FILE_NAME, Manifest, Part, Segment
from meltwatch_chassis.recording.segment_codec import pack_record
from meltwatch_schemas import current, embedding
from meltwatch_schemas.alarm import AlarmVerdict
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.current import CurrentChunk, encode_current
from meltwatch_schemas.embedding import EmbeddingChunk, encode_embedding
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.labels import Label
from meltwatch_schemas.record import RawRecord, headers_for
from meltwatch_schemas.topics import Topic, timestamp_ms
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from meltwatch_simulator import Scenario, SimulatedFurnace, SlotSchedule

ORIGIN_NS = 1_790_000_000 * NS_PER_S
WARM_UP_S = 135
PER_SEGMENT = 300


@dataclass(frozen=True)
class SimulatedRecording:
    """Some furnaces for some time after ``ORIGIN_NS``.

    Attributes
    ----------
    beyond
        How far outside the training ranges their traits are.
    """

    furnaces: tuple[str, ...]
    minutes: float = 5.0
    seed: int = 5
    slot_s: float = 150.0
    beyond: float = 0.0

    @property
    def origin_ns(self) -> int:
        return ORIGIN_NS

    @property
    def end_ns(self) -> int:
        return self.origin_ns + round(self.minutes * 60) * NS_PER_S

    def furnace(self, name: str) -> SimulatedFurnace:
        schedule = SlotSchedule(self.seed, ORIGIN_NS, slot_s=self.slot_s, jitter_s=20.0)
        scenario = Scenario(self.seed, self.furnaces, ORIGIN_NS, None, schedule, self.beyond)
        return scenario.furnace(name)

    def labels(self) -> list[Label]:
        found = []
        for name in self.furnaces:
            for fault in self.furnace(name).faults_between(ORIGIN_NS, self.end_ns):
                if fault.end_ns < self.end_ns:
                    start, end = utc_from_ns(fault.start_ns), utc_from_ns(fault.end_ns)
                    verdict = AlarmVerdict.TRUE_ALARM
                    found.append(Label(furnace=name, start=start, end=end, verdict=verdict))
        return found

    def write_labels(self, path: Path) -> Path:
        path.write_text(labels_as_csv(self.labels()) + "\n")
        return path

    def records(self) -> dict[Topic, list[RawRecord]]:
        """The records of the inputs, by offset, in one partition."""
        found: dict[Topic, list[RawRecord]] = {Topic.EMBEDDINGS: [], Topic.CURRENTS: []}
        for name in self.furnaces:
            furnace = self.furnace(name)
            found[Topic.EMBEDDINGS] += _frames(furnace, self.origin_ns, self.end_ns)
            found[Topic.CURRENTS] += _samples(furnace, self.origin_ns, self.end_ns)
        return {
            topic: [
                RawRecord(r.topic, 0, offset, r.timestamp_ms, r.key, r.value, r.headers)
                for offset, r in enumerate(sorted(records, key=lambda r: r.timestamp_ms))
            ]
            for topic, records in found.items()
        }

    def write(self, folder: Path) -> Path:
        parts = tuple(_part(folder, topic, records) for topic, records in self.records().items())
        manifest = Manifest.model_validate(
            {
                "topic_prefix": "meltwatch",
                "partitions": 1,
                "recorded_partitions": (0,),
                "from": utc_from_ns(self.origin_ns),
                "to": utc_from_ns(self.end_ns),
                "partial": False,
                "parts": parts,
            }
        )
        (folder / FILE_NAME).write_text(manifest.model_dump_json(by_alias=True))
        return folder


def _identity(furnace_id: str, source_id: str, seq: int, sent_ns: int) -> ChunkIdentity:
    return ChunkIdentity(
        furnace_id=furnace_id,
        source_id=source_id,
        boot_id="0123456789abcdef",
        seq=seq,
        ingest_time_ns=sent_ns,
    )


def _frames(furnace: SimulatedFurnace, origin_ns: int, end_ns: int) -> list[RawRecord]:
    name, encoder = furnace.furnace_id, default_encoder()
    begin_ns = origin_ns - WARM_UP_S * NS_PER_S
    times_ns = np.array(PUBLISHED_SPEC.frame_instants(name).between(begin_ns, end_ns)) - 20_000_000
    embedded = encoder.encode(furnace.frames(times_ns))
    records = []
    for seq, (time_ns, data) in enumerate(zip(times_ns.tolist(), embedded, strict=True)):
        chunk = EmbeddingChunk(
            _identity(name, "camera", seq, time_ns),
            np.array([time_ns]),
            encoder.encoder_id,
            data[None],
        )
        headers = tuple(headers_for(embedding.SCHEMA))
        stamp, topic = timestamp_ms(time_ns), Topic.EMBEDDINGS.under("meltwatch")
        value = encode_embedding(chunk)
        records.append(RawRecord(topic, 0, 0, stamp, name.encode(), value, headers))
    return records


def _samples(furnace: SimulatedFurnace, origin_ns: int, end_ns: int) -> list[RawRecord]:
    name, period_ns = furnace.furnace_id, PUBLISHED_SPEC.sample_period_ns
    begin_ns = origin_ns - WARM_UP_S * NS_PER_S
    times_ns = np.arange(begin_ns, end_ns, period_ns)
    values = furnace.currents(times_ns)
    records = []
    for first in range(0, len(times_ns) - 1, 2):
        last_ns = int(times_ns[first + 1])
        chunk = CurrentChunk(
            _identity(name, "meter", first, last_ns),
            int(times_ns[first]),
            period_ns,
            values[first : first + 2],
        )
        headers = tuple(headers_for(current.SCHEMA))
        stamp, topic = timestamp_ms(last_ns), Topic.CURRENTS.under("meltwatch")
        records.append(RawRecord(topic, 0, 0, stamp, name.encode(), encode_current(chunk), headers))
    return records


def _part(folder: Path, topic: Topic, records: Sequence[RawRecord]) -> Part:
    segments = []
    for start in range(0, len(records), PER_SEGMENT):
        some = records[start : start + PER_SEGMENT]
        name = f"{topic.value}-00000/{some[0].offset:020d}.segment"
        data = b"".join(map(pack_record, some))
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        stamps = [record.timestamp_ms for record in some]
        segments.append(
            Segment(
                file=name,
                first_offset=some[0].offset,
                last_offset=some[-1].offset,
                records=len(some),
                bytes=len(data),
                min_timestamp_ms=min(stamps),
                max_timestamp_ms=max(stamps),
                sha256=hashlib.sha256(data).hexdigest(),
            )
        )
    end = records[-1].offset + 1
    return Part(topic=topic, partition=0, start=0, end=end, segments=tuple(segments))
