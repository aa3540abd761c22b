"""Sequences of steps for the join's tests: from a plain description to chunks and back."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import Reading
from meltwatch_core.join.rules import JoinRules, QualityLimits
from meltwatch_core.join.window import AlignedWindow, Outcome
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import Encoder, dct_basis
from meltwatch_schemas.score import Features, Modality
from meltwatch_schemas.window import WindowSpec

from tests.support.entries import entry_of
from tests.support.oracle import Record, Step, Window
from tests.support.quality_oracle import Limits
from tests.support.rule_numbers import CURRENT, VIDEO, Numbers
from tests.unit.core.join.senders import (
    PUBLISHED,
    SMALL,
    numbered,
    plant_sequences,
    small_sequences,
    values_of,
)

ENCODER = Encoder("dct", dct_basis(1))
LIMITS = {
    SMALL: Limits(marked_share=1 / 3, unusable_share=1 / 2, levels=1, step=8, stall=6),
    PUBLISHED: Limits(),
}


def rules_of(numbers: Numbers) -> JoinRules:
    spec = WindowSpec(
        numbers.clip_frames, numbers.stride, numbers.hop, numbers.points, numbers.period
    )
    return JoinRules(
        spec=spec,
        video_bound_ns=numbers.video_bound,
        current_bound_ns=numbers.current_bound,
        idle_gap_ns=numbers.idle_gap,
        pause_cap_ns=numbers.pause_cap,
        max_skew_ns=numbers.max_skew,
        sample_reach_ns=numbers.hold,
        min_frames=numbers.min_frames,
        min_values=numbers.min_values,
        quality=QualityLimits(
            marked_share=LIMITS[numbers].marked_share,
            unusable_share=LIMITS[numbers].unusable_share,
            clipped_levels=LIMITS[numbers].levels,
            clock_step_ns=LIMITS[numbers].step,
            clock_stall_ns=LIMITS[numbers].stall,
        ),
    )


def chunk_of(record: Record) -> EmbeddingChunk | CurrentChunk:
    identity = ChunkIdentity(
        furnace_id=record.furnace,
        source_id=record.source,
        boot_id=record.boot,
        seq=record.seq,
        ingest_time_ns=record.ingest,
    )
    if record.modality == VIDEO:
        encoder_id = ENCODER.encoder_id if record.known_encoder else "other-1-000000000000"
        values = np.array(record.values, np.float16).reshape(-1, 1, 1)
        data = np.broadcast_to(values, (len(record.values), 64, 1))
        return EmbeddingChunk(identity, np.array(record.times, np.int64), encoder_id, data)
    period = record.times[1] - record.times[0] if len(record.times) > 1 else 1
    return CurrentChunk(
        identity, record.times[0], period, np.array(record.values, np.float32).reshape(-1, 3)
    )


def plain(window: AlignedWindow) -> Window:
    """A window of the code under test in the oracle's words."""
    video, current = window.cuts[Modality.VIDEO], window.cuts[Modality.CURRENT]
    return Window(
        furnace=window.furnace_id,
        end=window.window_end_ns,
        clip=None if window.clip is None else tuple(window.clip[:, 0, 0].tolist()),
        currents=None
        if window.currents_a is None
        else tuple(tuple(row) for row in window.currents_a.tolist()),
        video_coverage=window.video_coverage,
        current_coverage=window.current_coverage,
        sources=(window.sources.video, window.sources.current),
        last_event=window.last_event_ns,
        last_ingest=window.last_ingest_ns,
        cuts=(
            (video.first_needed, video.last_handed_on),
            (current.first_needed, current.last_handed_on),
        ),
        reasons=frozenset(window.reasons),
        frames=tuple(map(tuple, window.frames)),
    )


@dataclass(frozen=True)
class Said:
    """What a window says, without what rests on the order between the two topics."""

    window: Window
    features: Features
    modalities: tuple[Modality, ...]


def said(window: AlignedWindow) -> Said:
    cuts = ((None, None), (None, None))
    frames = tuple((0, frame.event_ns) for frame in window.frames)
    content = replace(plain(window), cuts=cuts, last_ingest=0, frames=frames)
    return Said(content, window.features, window.modalities)


def reading_of(step: Step) -> Reading:
    read_as_of = {Modality(modality): as_of for modality, as_of in step.read_as_of.items()}
    held_back = None if step.held_back is None else Modality(step.held_back)
    return Reading(step.now, read_as_of, held_back)


def take(joiner: PartitionJoiner, step: Step) -> Outcome:
    """Tell a joiner of a step."""
    record = step.record
    entry = None if record is None else entry_of(chunk_of(record), record.offset)
    return joiner.advance(entry, reading_of(step))


def join(steps: Iterable[Step], numbers: Numbers) -> list[Outcome]:
    """Tell a fresh joiner of the steps."""
    joiner = PartitionJoiner(7, ENCODER, rules_of(numbers))
    return [take(joiner, step) for step in steps]


def at_once(records: Iterable[Record]) -> list[Step]:
    """The records as they are handed on so fast that no time passes: nothing becomes idle."""
    return [Step(0, {}, record) for record in records]


def read_at(now: int, as_of: int | None = None) -> Step:
    """A look at the clock when all is read that both partitions held at an instant."""
    as_of = now if as_of is None else as_of
    return Step(now, {VIDEO: as_of, CURRENT: as_of})


def silence_after(steps: Sequence[Step], numbers: Numbers) -> Step:
    """A look at the clock, all read, that retires every furnace."""
    last = max((step.now for step in steps), default=0)
    return read_at(last + numbers.lookback + numbers.idle_gap + 1)


def windows_of(outcomes: Iterable[Outcome]) -> list[Window]:
    return [plain(window) for outcome in outcomes for window in outcome.windows]


def in_time(chance: random.Random, records: Iterable[Record], numbers: Numbers) -> list[Step]:
    """Steps of a reader who takes his time, looks at the clock, and is read to the end or not."""
    pace = chance.choice(((0,), (0, 1), (1, 2, 3), (0, 2, 9), (1, numbers.idle_gap)))
    looks = chance.choice(((0,), (0, 0, 1), (1, 2), (0, 0, 4)))
    knows = {modality: chance.choice((0.0, 0.1, 0.8, 1.0)) for modality in (VIDEO, CURRENT)}
    away = numbers.lookback + numbers.idle_gap
    now, as_of, steps = 1000, dict[str, int](), list[Step]()
    for record in (*records, None):
        for _ in range(chance.choice(looks) if record else 3):
            now += chance.choice((0, 1, 3, 7, numbers.pause_cap)) if record else away // 2 + 1
            as_of = _read_further(chance, as_of, knows, now)
            steps.append(Step(now, as_of, None, chance.choice((None, None, VIDEO, CURRENT))))
        if record:
            now += chance.choice((away + 3,) if chance.random() < 0.01 else pace)
            as_of = _read_further(chance, as_of, knows, now)
            steps.append(Step(now, as_of, record))
    return steps


def _read_further(
    chance: random.Random, as_of: Mapping[str, int], knows: Mapping[str, float], now: int
) -> dict[str, int]:
    told = {m: chance.randint(as_of.get(m, now - 9), now) for m in knows}
    return dict(as_of) | {m: told[m] for m in knows if chance.random() < knows[m]}


@st.composite
def small_steps(draw: st.DrawFn) -> list[Step]:
    """A small sequence in time."""
    records = draw(small_sequences())
    return in_time(random.Random(draw(st.integers(0, 2**32))), records, SMALL)


@st.composite
def plant_steps(draw: st.DrawFn) -> list[Step]:
    """A plant's sequence in time."""
    records = draw(plant_sequences())
    return in_time(random.Random(draw(st.integers(0, 2**32))), records, SMALL)


def without_successors(steps: Iterable[Step]) -> list[Step]:
    """The same, but that nobody follows upon a source after a silence.

    Who was away meanwhile lets him; who was there and read both at once does not.
    """
    limit = SMALL.lookback + SMALL.idle_gap
    first: dict[tuple[str, str], str] = {}
    newest: dict[tuple[str, str], int] = {}
    made = []
    for step in steps:
        if (record := step.record) is not None:
            which, last = (record.furnace, record.modality), record.times[-1]
            source = first.setdefault(which, record.source)
            if last - newest.get(which, 0) > limit:
                record = replace(record, source=source)
            if record.source == source and record.known_encoder:
                newest[which] = max(newest.get(which, 0), last)
        made.append(replace(step, record=record))
    return made


@dataclass(frozen=True)
class Arrival:
    """A record and the instant at which its partition has it."""

    at: int
    record: Record


CHANCE = st.integers(0, 2**32).map(random.Random)
"""Chance by one draw, so that long sequences stay cheap."""
ORDERLY = st.integers(0, 2**32).map(lambda seed: orderly(random.Random(seed), SMALL))
"""Arrivals of one to three furnaces whose records are within the bounds."""


def orderly(chance: random.Random, numbers: Numbers) -> list[Arrival]:
    """What sound producers deliver: within the bounds, neither modality ever silent for long.

    A furnace works in spells, with breaks in which it is retired and others in which it is not.
    No spell begins at a window's end: the first window of a life lies behind its first event.
    """
    away = numbers.lookback + numbers.idle_gap
    arrivals: list[Arrival] = []
    for furnace in ("site/a", "site/b", "site/c")[: chance.randint(1, 3)]:
        clock = 40 * numbers.hop + chance.randrange(4 * numbers.hop)
        producers = {m: Orderly(chance, numbers, furnace, m) for m in (VIDEO, CURRENT)}
        for _ in range(chance.randint(1, 3)):
            start = numbers.first_end_after(furnace, clock) + 1
            clock = start + chance.randint(2 * numbers.hop, 4 * numbers.lookback)
            for producer in producers.values():
                arrivals += producer.work(start, clock)
            clock += chance.choice((away // 2, 2 * away, 5 * away))
    arrivals.sort(key=lambda arrival: arrival.at)
    records = numbered(arrival.record for arrival in arrivals)
    return [Arrival(a.at, record) for a, record in zip(arrivals, records, strict=True)]


class Orderly:
    """A source that does its work: in chunks and in order, or one by one within the bound."""

    def __init__(
        self, chance: random.Random, numbers: Numbers, furnace: str, modality: str
    ) -> None:
        self._chance = chance
        self._furnace, self._modality, self._seq = furnace, modality, 0
        is_video = modality == VIDEO
        self._period = numbers.stride if is_video else numbers.period
        bound = numbers.video_bound if is_video else numbers.current_bound
        self._jitter = chance.choice((0, bound - 1))
        self._lag = 0 if self._jitter else chance.choice((0, 2))

    def work(self, start: int, end: int) -> Iterator[Arrival]:
        chance, period = self._chance, self._period
        time = start + chance.randrange(period)
        while time < end:
            amid = start + 2 * period < time < end - 4 * period
            count = chance.choice((1, 1, 2, 3)) if amid and not self._jitter else 1
            times = tuple(time + index * period for index in range(count))
            values = values_of(self._modality, 100 + time // period % 300, count, 9)
            record = Record(
                self._modality, 0, self._furnace, self._modality, times, values, times[-1] + 3,
                seq=self._seq,
            )  # fmt: skip
            yield Arrival(times[-1] + self._lag + chance.randint(0, self._jitter), record)
            self._seq += count
            time = times[-1] + chance.choice((1, 1, 1, 1 + amid)) * period


def as_it_came(arrivals: Sequence[Arrival], numbers: Numbers) -> list[Step]:
    """The steps of a reader who never falls behind, to the end of every furnace."""
    steps, now = list[Step](), arrivals[0].at
    for arrival in arrivals:
        while now + numbers.pause_cap <= arrival.at:
            now += numbers.pause_cap
            steps.append(read_at(now))
        now = arrival.at
        steps += [Step(now, read_at(now).read_as_of, arrival.record)]
    return [*steps, silence_after(steps, numbers)]
