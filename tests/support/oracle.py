"""The window rule by brute force: every answer is found anew from the whole history.

Written from the rule's text, with Python integers and lists, and without anything of the code
under test. Slow on purpose; only the tests use it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support import quality_oracle as quality
from tests.support.rule_numbers import CURRENT, VIDEO, Numbers

OTHER = {VIDEO: CURRENT, CURRENT: VIDEO}


@dataclass(frozen=True)
class Record:
    """A record as handed on; ``values`` are one number a frame or three a sample."""

    modality: str
    offset: int
    furnace: str
    source: str
    times: tuple[int, ...]
    values: tuple[Any, ...]
    ingest: int
    known_encoder: bool = True
    seq: int = 0
    boot: str = "0" * 16


@dataclass(frozen=True)
class Event:
    """One frame or sample that was not told as a duplicate."""

    modality: str
    time: int
    value: Any
    offset: int


@dataclass(frozen=True)
class Window:
    """One window as the rule gives it; lists run from the oldest to the newest."""

    furnace: str
    end: int
    clip: tuple[Any, ...] | None
    currents: tuple[Any, ...] | None
    video_coverage: float
    current_coverage: float
    sources: tuple[str | None, str | None]
    last_event: int
    last_ingest: int
    cuts: tuple[tuple[int | None, int | None], tuple[int | None, int | None]]
    reasons: frozenset[str] = frozenset()
    frames: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Step:
    """What the join is told: a record handed on, or a look at the reader's clock without one.

    ``read_as_of`` says, per modality, as of which instant its partition is read; ``held_back``
    names the topic that we ourselves have paused.
    """

    now: int
    read_as_of: Mapping[str, int] = field(default_factory=dict)
    record: Record | None = None
    held_back: str | None = None


@dataclass
class Result:
    """What a step led to."""

    refusal: str | None = None
    late: bool = False
    duplicates: int = 0
    windows: list[Window] = field(default_factory=list)
    skipped: int = 0
    retired: list[str] = field(default_factory=list)


@dataclass
class Life:
    """Everything that happened to a furnace since it began or came back."""

    steps: list[Step] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    first_window_closed: bool = False
    watermark: float = -math.inf
    proven: set[str] = field(default_factory=set)

    def of(self, modality: str) -> list[Record]:
        return [record for record in self.records if record.modality == modality]

    def within(self, modality: str, after: int, until: int) -> list[Event]:
        """The events in ``(after, until]``, in their order."""
        return [e for e in self.events if e.modality == modality and after < e.time <= until]

    def source(self, modality: str) -> str | None:
        found = self.of(modality)
        return found[0].source if found else None

    def newest(self) -> int:
        return max(time for record in self.records for time in record.times)


class Oracle:
    """The rule for one partition pair; no furnace is asked about another."""

    def __init__(self, numbers: Numbers, limits: quality.Limits | None = None) -> None:
        self.numbers = numbers
        self.limits = limits or quality.Limits()
        self.lives: dict[str, Life] = {}
        self.last_closed: dict[str, int] = {}
        self.handed_on: list[Record] = []

    def take(self, step: Step) -> Result:
        if step.record:
            return self.hand_on(step.record, step.now, step.read_as_of)
        return self.pass_time(step.now, step.read_as_of, step.held_back)

    def hand_on(self, record: Record, now: int, read_as_of: Mapping[str, int]) -> Result:
        self.handed_on.append(record)
        result = Result(refusal=self.refusal(record))
        if result.refusal:
            return result
        life = self.lives.setdefault(record.furnace, Life())
        result.late = any(time <= self.last_closed.get(record.furnace, -1) for time in record.times)
        life.steps.append(Step(now, read_as_of, record))
        life.records.append(record)
        result.duplicates = self.take_events(record, life)
        self.move(record.furnace, life, result)
        return result

    def pass_time(
        self, now: int, read_as_of: Mapping[str, int], held_back: str | None = None
    ) -> Result:
        result = Result()
        for furnace, life in list(self.lives.items()):
            life.steps.append(Step(now, read_as_of, held_back=held_back))
            self.move(furnace, life, result)
            if self.is_over(life):
                del self.lives[furnace]
                result.retired.append(furnace)
                self.close(furnace, life, life.newest() + self.numbers.lookback - 1, result)
        return result

    def refusal(self, record: Record) -> str | None:
        life = self.lives.get(record.furnace)
        if life and life.source(record.modality) not in (None, record.source):
            return "unexpected_source"
        if record.modality == VIDEO and not record.known_encoder:
            return "unknown_encoder"
        return None

    def take_events(self, record: Record, life: Life) -> int:
        """Two events at one instant: the first counts, as far as the next window reaches."""
        oldest = self.next_end(record.furnace, life) - self.numbers.reach(record.modality)
        duplicates = 0
        for time, value in zip(record.times, record.values, strict=True):
            held = [e for e in life.events if (e.modality, e.time) == (record.modality, time)]
            if held and time > oldest:
                duplicates += 1
            else:
                life.events.append(Event(record.modality, time, value, record.offset))
        return duplicates

    def next_end(self, furnace: str, life: Life) -> int:
        closed = self.last_closed.get(furnace, -(10**9))
        if life.first_window_closed:
            return closed + self.numbers.hop
        earliest = min(time for record in life.records for time in record.times)
        return self.numbers.first_end_after(furnace, max(earliest, closed))

    def move(self, furnace: str, life: Life, result: Result) -> None:
        """Where both modalities that are waited for have come to, all before has come."""
        bounds = {VIDEO: self.numbers.video_bound, CURRENT: self.numbers.current_bound}
        marks = [
            max([record.times[-1] for record in life.of(modality)], default=-math.inf) - bound
            for modality, bound in bounds.items()
            if not self.is_left_out(life, modality)
        ]
        life.watermark = max(life.watermark, min(marks, default=-math.inf))
        self.close(furnace, life, life.watermark, result)

    def is_left_out(self, life: Life, modality: str) -> bool:
        return (
            self.is_idle(life, modality)
            or self.is_behind(life, modality)
            or self.is_set_back(life, modality)
        )

    def is_idle(self, life: Life, modality: str) -> bool:
        """Whether the other one has spoken for long, and all is read that was there since."""
        began, waited = self.wait(life, modality)
        return (
            began is not None
            and waited > self.numbers.idle_gap
            and life.steps[-1].read_as_of.get(modality, -math.inf) >= began
        )

    def wait(self, life: Life, modality: str) -> tuple[int | None, int]:
        """When the wait for a modality began, and how much of the time since then counts."""
        began, waited, counted, speaker = None, 0, None, None
        for step in life.steps:
            if step.record is None and step.held_back != speaker:
                continue
            pause = 0 if counted is None else min(step.now - counted, self.numbers.pause_cap)
            counted = step.now
            if step.record:
                speaker = step.record.modality
            if speaker == modality:
                began, waited = None, 0
            else:
                began, waited = step.now if began is None else began, waited + pause
        return began, waited

    def is_behind(self, life: Life, modality: str) -> bool:
        """Whether it has been too far behind the other one for too long, though all is read."""
        newest: dict[str, int] = {}
        since = None
        for step in life.steps:
            if step.record is None:
                continue
            heard = (newest.get(step.record.modality, 0), step.record.times[-1])
            newest[step.record.modality] = max(heard)
            if (
                newest.get(OTHER[modality], 0) - newest.get(modality, 2**63)
                <= self.numbers.max_skew
            ):
                since = None
            elif since is None:
                since = step.now
        as_of = life.steps[-1].read_as_of.get(modality, -math.inf)
        return since is not None and as_of - since > self.numbers.max_skew

    def is_set_back(self, life: Life, modality: str) -> bool:
        """Whether its clock stepped and is not yet again where it was."""
        return quality.is_set_back(life.of(modality), self.limits)

    def is_over(self, life: Life) -> bool:
        """Whether it was silent for long up to the instant as of which all is read."""
        heard = max(step.now for step in life.steps if step.record)
        as_of = life.steps[-1].read_as_of
        limit = self.numbers.lookback + self.numbers.idle_gap
        return all(as_of.get(m, -math.inf) - heard > limit for m in (VIDEO, CURRENT))

    def close(self, furnace: str, life: Life, limit: float, result: Result) -> None:
        """Close window by window; a furnace that was away has numbers that count as skipped."""
        end = self.next_end(furnace, life)
        if end > limit:
            return
        if not life.first_window_closed and furnace in self.last_closed:
            result.skipped += (end - self.last_closed[furnace]) // self.numbers.hop - 1
        while end <= limit:
            times = [time for record in life.records for time in record.times]
            if any(end - self.numbers.lookback < time <= end for time in times):
                result.windows.append(self.window(furnace, life, end))
            else:
                result.skipped += 1
                life.proven.clear()
            life.first_window_closed = True
            self.last_closed[furnace] = end
            end += self.numbers.hop

    def window(self, furnace: str, life: Life, end: int) -> Window:
        clip, video_coverage = self.clip(life, end)
        own, currents, current_coverage = self.currents(life, end)
        reasons = set()
        if clip is None:
            reasons.add("low_video_coverage" if video_coverage else "no_video")
        if currents is None:
            reasons.add("low_current_coverage" if current_coverage else "no_current")
        wrong = {} if clip is None else dict.fromkeys(quality.video_words(clip, self.limits), True)
        reasons |= set(wrong)
        if clip is not None and not self.trusts(life, VIDEO, wrong, live=quality.is_live(clip)):
            clip = None
        wrong = quality.current_words(own, currents, self.limits)
        reasons |= set(wrong)
        if currents is not None:
            live = all(quality.is_live([point[phase] for point in currents]) for phase in range(3))
            if not self.trusts(life, CURRENT, wrong, live=live):
                currents = None
        for modality in (VIDEO, CURRENT):
            oldest = end - self.numbers.reach(modality)
            reasons |= set(quality.clock_words(life.of(modality), modality, oldest, self.limits))
            reasons |= {f"behind_{modality}"} if self.is_behind(life, modality) else set()
        return Window(
            furnace=furnace,
            end=end,
            clip=clip,
            currents=currents,
            video_coverage=video_coverage,
            current_coverage=current_coverage,
            sources=(life.source(VIDEO), life.source(CURRENT)),
            last_event=max(t for record in life.records for t in record.times if t <= end),
            last_ingest=max(record.ingest for record in life.records),
            cuts=(self.cut(life, VIDEO, end), self.cut(life, CURRENT, end)),
            reasons=frozenset(reasons),
            frames=self.frames(life, end),
        )

    def frames(self, life: Life, end: int) -> tuple[tuple[int, int], ...]:
        """Offset and time of the latest frame of each stride of the last hop."""
        found = []
        for until in range(
            end - self.numbers.hop + self.numbers.stride, end + 1, self.numbers.stride
        ):
            held = [
                event
                for event in life.events
                if event.modality == VIDEO and until - self.numbers.stride < event.time <= until
            ]
            if held:
                newest = max(event.time for event in held)
                first = next(event for event in held if event.time == newest)
                found.append((first.offset, newest))
        return tuple(found)

    def trusts(self, life: Life, modality: str, wrong: dict[str, bool], *, live: bool) -> bool:
        """A modality is unusable only if it was seen to be live before."""
        if live and not wrong:
            life.proven.add(modality)
        return modality not in life.proven or not any(wrong.values())

    def clip(self, life: Life, end: int) -> tuple[tuple[Any, ...] | None, float]:
        slots, stride = [], self.numbers.stride
        events = life.within(VIDEO, end - self.numbers.clip_frames * stride, end)
        for age in range(self.numbers.clip_frames):
            slot = end - age * stride
            slots.append(latest(events, slot - stride, slot))
        filled = sum(slot is not None for slot in slots)
        available = filled >= self.numbers.min_frames
        coverage = filled / self.numbers.clip_frames
        return (tuple(reversed(repeat_missing(slots))) if available else None), coverage

    def currents(self, life: Life, end: int) -> tuple[list[Any], tuple[Any, ...] | None, float]:
        """What stands at each grid point, the same with repeats if available, and the coverage."""
        phases, hold = [], self.numbers.hold
        events = life.within(CURRENT, end - self.numbers.points * self.numbers.period - hold, end)
        for phase in range(3):
            grid = []
            for age in range(self.numbers.points):
                point = end - age * self.numbers.period
                grid.append(latest(events, point - hold, point, phase))
            phases.append(grid)
        present = sum(value is not None for grid in phases for value in grid)
        coverage = present / (3 * self.numbers.points)
        own = list(zip(*[reversed(grid) for grid in phases], strict=True))
        if present < self.numbers.min_values:
            return own, None, coverage
        whole = [list(reversed(repeat_missing(grid))) for grid in phases]
        return own, tuple(zip(*whole, strict=True)), coverage

    def cut(self, life: Life, modality: str, end: int) -> tuple[int | None, int | None]:
        offsets = [record.offset for record in self.handed_on if record.modality == modality]
        if not offsets:
            return None, None
        oldest = end - self.numbers.reach(modality)
        needed = [
            e.offset for e in life.events if e.modality == modality and oldest < e.time <= end
        ]
        return min(needed, default=offsets[-1] + 1), offsets[-1]


def latest(events: list[Event], after: int, until: int, phase: int | None = None) -> Any:
    """The value of the latest event in ``(after, until]`` that is not NaN; the first of equals."""
    best = None
    for event in events:
        if not after < event.time <= until:
            continue
        value = event.value if phase is None else event.value[phase]
        if phase is not None and math.isnan(value):
            continue
        if best is None or event.time > best[0]:
            best = (event.time, value)
    return None if best is None else best[1]


def repeat_missing(newest_first: list[Any]) -> list[Any]:
    """A missing value repeats the nearest older one, or the nearest newer one if there is none."""
    filled = []
    for index, value in enumerate(newest_first):
        older = [v for v in newest_first[index:] if v is not None]
        newer = [v for v in newest_first[:index] if v is not None]
        filled.append(value if value is not None else older[0] if older else newer[-1])
    return filled
