"""Writes one simulated furnace to Kafka as producers and stream processor would, faults included.

Nothing is judged: the score is high while the simulator has a fault, and the map is its mask.
"""

from contextlib import closing
from typing import Any

import numpy as np
from kafka import KafkaProducer
from meltwatch_chassis.kafka.partitioner import partition_of
from meltwatch_schemas.current import SCHEMA as CURRENT_SCHEMA
from meltwatch_schemas.current import encode_current
from meltwatch_schemas.embedding import SCHEMA as EMBEDDING_SCHEMA
from meltwatch_schemas.embedding import encode_embedding
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.score import SCHEMA as SCORE_SCHEMA
from meltwatch_schemas.score import Cut, Modality, SourceState, WindowScore, encode_score
from meltwatch_schemas.score_topics import NewestFrame
from meltwatch_schemas.topics import Topic, timestamp_ms
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC
from meltwatch_simulator import Scenario
from meltwatch_simulator.schedule import Schedule
from numpy.typing import NDArray

from tests.integration.console.bench import ConsoleProcess
from tests.support.builders import BOOT, current_chunk, embedding_chunk, window_score
from tests.support.servers import Topics
from tests.support.waiting import until

FURNACE = "demo/smelting-1/FMF-01"
AGO_S, LONG_S = 100, 90
QUIET, LOUD = -5.0, 9.7
LAG_NS = 40 * NS_PER_MS
"""A frame is older than its slot's instant by so much, as cameras are."""


class FurnaceForge:
    """One furnace's past.

    Parameters
    ----------
    address, topics
        Where it is written.
    furnace_id
        Whose.
    origin_ns
        When the demonstration begins on it: a fault comes some half a minute later.
    schedule
        Of faults, instead of the demonstration's.

    Attributes
    ----------
    scores
        What was written, oldest first.
    """

    def __init__(
        self,
        address: str,
        topics: Topics,
        furnace_id: str,
        origin_ns: int,
        schedule: Schedule | None = None,
    ) -> None:
        self._address = address
        self._topics = topics
        self._furnace_id = furnace_id
        self._origin_ns = origin_ns
        scenario = Scenario(11, (furnace_id,), origin_ns, None, schedule)
        self.furnace = scenario.furnace(furnace_id)
        self.scores: list[WindowScore] = []
        self._current_ns = origin_ns - 120 * NS_PER_S
        self._closing_ns = PUBLISHED_SPEC.first_end_after(furnace_id, origin_ns)
        self._frames: list[NewestFrame] = []

    @property
    def partition(self) -> int:
        """Where its records stand."""
        return partition_of(self._furnace_id.encode(), self._topics.partitions)

    def write(self, seconds: float) -> None:
        """Write the first seconds of it, as far as they are not written yet."""
        end_ns = self._origin_ns + int(seconds * NS_PER_S)
        with closing(KafkaProducer(bootstrap_servers=self._address)) as producer:
            self._write_currents(producer, end_ns)
            while self._closing_ns < end_ns:
                for slots in (1, 0):
                    event_ns = self._closing_ns - slots * PUBLISHED_SPEC.frame_stride_ns - LAG_NS
                    self._frames.append(self._write_frame(producer, event_ns))
                self._write_score(producer, self._closing_ns, tuple(self._frames[-2:]))
                self._closing_ns += PUBLISHED_SPEC.hop_ns
            producer.flush()

    def pixels(self, event_ns: int) -> NDArray[np.uint8]:
        """Return the simulator's picture of an instant."""
        return self.furnace.frames(np.array([event_ns]))[0]

    def currents_near(self, time_ns: int) -> NDArray[np.float32]:
        """Return the meter's samples within one window of an instant, ``[samples, phases]``."""
        half = NS_PER_S // 2
        last = self._origin_ns + (time_ns - self._origin_ns) // half * half
        return self.furnace.currents(last + half * np.arange(-2, 3))

    def loud(self) -> WindowScore:
        """Return a score in the midst of the fault."""
        found = [score for score in self.scores if score.logit == LOUD]
        return found[len(found) // 2]

    def _write_frame(self, producer: KafkaProducer, event_ns: int) -> NewestFrame:
        data = default_encoder().encode(self.furnace.frames(np.array([event_ns])))
        chunk = embedding_chunk([event_ns], data, furnace_id=self._furnace_id)
        value = encode_embedding(chunk)
        sent = self._send(producer, Topic.EMBEDDINGS, EMBEDDING_SCHEMA, value, event_ns)
        return NewestFrame(sent.get(30).offset, event_ns)

    def _write_score(
        self, producer: KafkaProducer, end_ns: int, frames: tuple[NewestFrame, ...]
    ) -> None:
        instant = np.array([frames[-1].event_ns])
        mask = self.furnace.masks(instant)[0]
        is_loud = bool(mask.any())
        score = window_score(
            end_ns,
            self._furnace_id,
            LOUD if is_loud else QUIET,
            anomaly_map=(mask * 200).astype(np.uint8) if is_loud else None,
            inputs={
                self._topics.name(Topic.EMBEDDINGS): Cut(self.partition, 0, frames[-1].offset),
                self._topics.name(Topic.CURRENTS): Cut(self.partition, 0, 0),
            },
            frames=frames,
            source_states=heard(end_ns),
        )
        self.scores.append(score)
        self._send(producer, Topic.SCORES, SCORE_SCHEMA, encode_score(score), end_ns)

    def _write_currents(self, producer: KafkaProducer, end_ns: int) -> None:
        while self._current_ns < end_ns:
            time_ns, last_ns = self._current_ns, self._current_ns + NS_PER_S // 2
            rows = self.furnace.currents(np.array([time_ns, last_ns]))
            chunk = current_chunk(time_ns, rows, furnace_id=self._furnace_id)
            self._send(producer, Topic.CURRENTS, CURRENT_SCHEMA, encode_current(chunk), last_ns)
            self._current_ns += NS_PER_S

    def _send(
        self, producer: KafkaProducer, topic: Topic, schema: str, value: bytes, event_ns: int
    ) -> Any:
        return producer.send(
            self._topics.name(topic), key=self._furnace_id.encode(), value=value,
            partition=self.partition, headers=list(headers_for(schema)),
            timestamp_ms=timestamp_ms(event_ns),
        )  # fmt: skip


def heard(
    end_ns: int, modalities: tuple[Modality, ...] = tuple(Modality)
) -> dict[Modality, SourceState]:
    """Return what a window says of sources whose newest record is as new as it can be."""
    event_ns = end_ns - LAG_NS
    state = SourceState(
        proven=True, boot_id=BOOT, seq=1, event_ns=event_ns, ingest_ns=end_ns,
        standing_since_ns=end_ns, stepped_from_ns=None,
    )  # fmt: skip
    return dict.fromkeys(modalities, state)


def wait_for_scores(console: ConsoleProcess, furnace: FurnaceForge) -> None:
    """Wait until the console has read a furnace's whole past."""
    newest_ms = furnace.scores[-1].window_end_ns // NS_PER_MS
    first_ms = furnace.scores[0].window_end_ns // NS_PER_MS
    address = f"api/v1/furnaces/{FURNACE}"

    def has_all() -> bool:
        if console.ask(f"{address}/newest")[1].get("end_ms") != newest_ms:
            return False
        return bool(console.ask(f"{address}/scores")[1]["rows"][0][0] == first_ms)

    until(has_all, lambda: console.ask(f"{address}/scores"))


def told(loud: WindowScore) -> dict[str, Any]:
    """Return what the record of a raise at a window says."""
    end = utc_from_ns(loud.window_end_ns)
    return {
        "condition_time": end,
        "raise_time": end,
        "evidence": {
            "score": loud.logit, "threshold": 2.9, "threshold_off": 0.9,
            "window_start": utc_from_ns(loud.window_end_ns - 120 * NS_PER_S), "window_end": end,
        },
    }  # fmt: skip
