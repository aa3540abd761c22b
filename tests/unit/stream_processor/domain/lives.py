"""Lives of a stream processor between crashes, on a broker that outlives them."""

from collections import deque
from dataclasses import dataclass, field

from hypothesis import strategies as st
from meltwatch_schemas.score import Modality, ModelIdentity, ScoreTimes, WindowScore
from meltwatch_stream_processor.domain.aligned_window import AlignedWindow, Outcome
from meltwatch_stream_processor.domain.partition import PartitionJoiner
from meltwatch_stream_processor.domain.restore import resume

from tests.support.oracle import CURRENT, VIDEO, Record
from tests.unit.stream_processor.domain.sequences import (
    ENCODER,
    SMALL,
    chunk_of,
    rules_of,
)

TOPICS = {Modality.VIDEO: "embeddings", Modality.CURRENT: "currents"}


def score_of(window: AlignedWindow) -> WindowScore:
    """The part of a published score that restoring rests on."""
    return WindowScore(
        furnace_id=window.furnace_id,
        window_end_ns=window.window_end_ns,
        window_id=window.window_id,
        spec_id="",
        status=window.attainable_status,
        modalities=window.modalities,
        video_coverage=window.video_coverage,
        current_coverage=window.current_coverage,
        logit=None,
        probability=None,
        member_logits=None,
        disagreement=None,
        anomaly_map=None,
        features=window.features,
        model=ModelIdentity("fmformer", "1", ""),
        encoder_id=window.encoder_id,
        sources=window.sources,
        reasons=window.reasons,
        times=ScoreTimes(window.last_event_ns, window.last_ingest_ns, 0, None, 0),
        inputs={TOPICS[modality]: cut for modality, cut in window.cuts.items()},
        source_states=window.source_states,
    )


@dataclass
class Broker:
    """What outlives a process: committed offsets and published scores."""

    committed: dict[Modality, int] = field(default_factory=lambda: dict.fromkeys(Modality, 0))
    published: list[AlignedWindow] = field(default_factory=list)


class Process:
    """One life of a stream processor that publishes and commits when told."""

    def __init__(self, broker: Broker) -> None:
        scores = [score_of(window) for window in broker.published]
        resumption = resume(broker.committed, scores, TOPICS)
        self.broker = broker
        self.joiner = PartitionJoiner(7, ENCODER, rules_of(SMALL), resumption)
        self.unpublished: dict[str, deque[AlignedWindow]] = {}

    def read(self, record: Record) -> Outcome | None:
        """Hand a record on, unless it was acknowledged in an earlier life."""
        if record.offset < self.broker.committed[Modality(record.modality)]:
            return None
        outcome = self.joiner.hand_on(chunk_of(record), record.offset)
        for window in outcome.windows:
            self.unpublished.setdefault(window.furnace_id, deque()).append(window)
        return outcome

    def publish(self, furnaces: int, windows: int) -> None:
        """Publish some windows of the furnaces whose bit is set, oldest first."""
        for index, queue in enumerate(self.unpublished.values()):
            for _ in range(windows if furnaces >> index & 1 else 0):
                if queue:
                    self.broker.published.append(queue[0])
                    self.joiner.published(queue.popleft())

    def commit(self) -> None:
        offsets = self.joiner.acknowledgeable()
        for modality, offset in offsets.items():
            assert offset >= self.broker.committed[modality], "a commit went back"
        self.broker.committed.update(offsets)


@dataclass(frozen=True)
class Habits:
    """How a process publishes and commits, drawn once for each life.

    ``turns`` holds, cyclically, (publish furnaces, how many windows, commit) after each record.
    """

    lives_for: int
    turns: tuple[tuple[int, int, bool], ...]


HABITS = st.builds(
    Habits,
    lives_for=st.integers(1, 80),
    turns=st.lists(
        st.tuples(st.integers(0, 15), st.integers(0, 6), st.booleans()), min_size=1, max_size=6
    ).map(tuple),
)


def live(broker: Broker, records: list[Record], first: int, habits: Habits) -> int:
    """Read again from the start, then on until the crash; return how far all lives have come."""
    process = Process(broker)
    crash = min(first + habits.lives_for, len(records))
    for index, record in enumerate(records[:crash]):
        outcome = process.read(record)
        if outcome is not None:
            furnaces, windows, commit = habits.turns[index % len(habits.turns)]
            process.publish(furnaces, windows)
            if commit:
                process.commit()
    return crash


def finish(broker: Broker, records: list[Record]) -> list[tuple[Record, Outcome]]:
    """The last life: read everything, publish everything."""
    process = Process(broker)
    read = []
    for record in records:
        outcome = process.read(record)
        if outcome is not None:
            read.append((record, outcome))
    process.publish(-1, 10**6)
    return read


def described(text: str) -> list[Record]:
    """Records from lines of topic, offset, furnace, source and event times."""
    records = []
    for number, line in enumerate(text.strip().splitlines()):
        topic, offset, furnace, source, *times = line.split()
        modality = VIDEO if topic == "video" else CURRENT
        value = float(number) if modality == VIDEO else (float(number),) * 3
        instants = tuple(int(time) for time in times)
        values = (value,) * len(instants)
        records.append(
            Record(modality, int(offset), f"site/{furnace}", source, instants, values, number)
        )
    return records


def reordered(records: list[Record], turns: list[bool]) -> list[Record]:
    """The same two topics read in other turns, as when one was silent the first time."""
    topics = {
        modality: deque(r for r in records if r.modality == modality)
        for modality in (VIDEO, CURRENT)
    }
    order: list[Record] = []
    while all(topics.values()):
        first = turns[len(order) % len(turns)]
        order.append(topics[VIDEO if first else CURRENT].popleft())
    return [*order, *topics[VIDEO], *topics[CURRENT]]
