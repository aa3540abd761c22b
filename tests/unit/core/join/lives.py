"""Lives of a stream processor between crashes, on a broker that outlives them."""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.restore import resume
from meltwatch_core.join.window import AlignedWindow, Outcome
from meltwatch_schemas.score import Modality, ModelIdentity, ScoreTimes, WindowScore

from tests.support.oracle import Record, Step
from tests.support.rule_numbers import CURRENT, VIDEO
from tests.unit.core.join.sequences import (
    ENCODER,
    SMALL,
    Arrival,
    read_at,
    rules_of,
    silence_after,
    take,
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
        self.starts = dict(broker.committed)
        self.joiner = PartitionJoiner(7, ENCODER, rules_of(SMALL), resumption)
        self.unpublished: dict[str, deque[AlignedWindow]] = {}

    def take(self, step: Step) -> Outcome | None:
        """Take a step, unless it is of a record that was acknowledged in an earlier life."""
        record = step.record
        if record and record.offset < self.starts[Modality(record.modality)]:
            return None
        outcome = take(self.joiner, step)
        for window in outcome.windows:
            self.unpublished.setdefault(window.furnace_id, deque()).append(window)
        return outcome

    def publish(self, furnaces: int, windows: int) -> None:
        """Publish some windows of the furnaces whose bit is set, oldest first."""
        for index, queue in enumerate(self.unpublished.values()):
            for _ in range(min(windows, len(queue)) if furnaces >> index & 1 else 0):
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

    ``turns`` holds, cyclically, (publish furnaces, how many windows, commit) after each step.
    """

    lives_for: int
    turns: tuple[tuple[int, int, bool], ...]

    def keep(self, process: Process, number: int) -> None:
        """Do what is due after a step."""
        furnaces, windows, commit = self.turns[number % len(self.turns)]
        process.publish(furnaces, windows)
        if commit:
            process.commit()


TURNS = st.lists(
    st.tuples(st.integers(0, 15), st.integers(0, 6), st.booleans()), min_size=1, max_size=6
).map(tuple)
HABITS = st.builds(Habits, lives_for=st.integers(1, 80), turns=TURNS)
LONG_HABITS = st.builds(Habits, lives_for=st.integers(1, 400), turns=TURNS)


def live(broker: Broker, steps: Sequence[Step], first: int, habits: Habits) -> int:
    """Take the steps again from the start, then on until the crash; return how far all came."""
    process = Process(broker)
    crash = min(first + habits.lives_for, len(steps))
    for index, step in enumerate(steps[:crash]):
        if process.take(step) is not None:
            habits.keep(process, index)
    return crash


def finish(broker: Broker, steps: Sequence[Step]) -> list[tuple[Step, Outcome]]:
    """The last life: take every step, publish everything."""
    process = Process(broker)
    taken = [(step, process.take(step)) for step in steps]
    process.publish(-1, 10**6)
    return [(step, outcome) for step, outcome in taken if outcome is not None]


class Reader:
    """Reads two topics in turns of its own, life after life, while records go on arriving.

    Parameters
    ----------
    arrivals
        All records that ever come, in the order in which they do.
    chance
        Decides which topic is read next where both have something.
    """

    def __init__(self, arrivals: Sequence[Arrival], chance: random.Random) -> None:
        self._topics = {
            m: [arrival for arrival in arrivals if arrival.record.modality == m]
            for m in (VIDEO, CURRENT)
        }
        self._chance = chance
        self.now = arrivals[0].at
        self.outcomes: list[tuple[Step, Outcome]] = []

    def live(self, broker: Broker, habits: Habits) -> None:
        """Read on from what is committed, until the crash."""
        process, offsets, as_of = Process(broker), self._committed(broker), dict[str, int]()
        favourite = self._chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for number in range(habits.lives_for):
            ready = {m: self._waiting(m, offset) for m, offset in offsets.items()}
            as_of |= {m: self.now for m, record in ready.items() if record is None}
            found = [record for record in ready.values() if record]
            if len(found) == len(ready):
                found = [found[self._chance.random() < favourite]]
            step = Step(self.now, dict(as_of), found[0] if found else None)
            if step.record:
                offsets[step.record.modality] += 1
            else:
                self.now += SMALL.pause_cap // 2
            self._take(process, step)
            habits.keep(process, number)

    def finish(self, broker: Broker) -> None:
        """The last life: read everything, wait until every furnace is retired, publish all."""
        process = Process(broker)
        offsets = self._committed(broker)
        self.now = max(topic[-1].at for topic in self._topics.values() if topic)
        while found := [r for m, at in offsets.items() if (r := self._waiting(m, at))]:
            record = self._chance.choice(found)
            offsets[record.modality] += 1
            self._take(process, Step(self.now, {}, record))
        self._take(process, silence_after([read_at(self.now)], SMALL))
        process.publish(-1, 10**6)
        process.commit()

    def _take(self, process: Process, step: Step) -> None:
        outcome = process.take(step)
        assert outcome is not None
        self.outcomes.append((step, outcome))

    def _committed(self, broker: Broker) -> dict[str, int]:
        return {m: broker.committed[Modality(m)] for m in self._topics}

    def _waiting(self, modality: str, offset: int) -> Record | None:
        topic = self._topics[modality]
        if offset < len(topic) and topic[offset].at <= self.now:
            return topic[offset].record
        return None


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
