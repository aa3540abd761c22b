"""The rules of quality by brute force, beside the window rule's ``oracle`` and in its manner.

A frame is one number here, shown alike by all patches; a sample is three.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

VIDEO, CURRENT = "video", "current"
Sample = tuple[float, float, float]


@dataclass(frozen=True)
class Limits:
    """The numbers of the rules, as the published product has them."""

    dark: float = 4.0
    full: float = 251.0
    off: float = 100.0
    lost_ratio: float = 0.02
    marked_share: float = 1 / 12
    unusable_share: float = 1 / 4
    levels: int = 12
    step: int = 2_000_000_000
    stall: int = 2_000_000_000
    grey_of_one: float = 1 / math.sqrt(192)


class Heard(Protocol):
    """A record as far as clocks go."""

    times: tuple[int, ...]
    ingest: int
    seq: int
    boot: str


def video_words(frames: Sequence[float], limits: Limits) -> set[str]:
    """What is wrong with the frames of a clip; all of it makes them unusable."""
    greys = [frame * limits.grey_of_one for frame in frames]
    words = set()
    if len(set(frames)) == 1:
        words.add("frozen_video")
    if all(0 <= grey <= limits.dark for grey in greys):
        words.add("black_video")
    if all(limits.full <= grey <= 255.2 for grey in greys):
        words.add("saturated_video")
    return words


def current_words(
    own: Sequence[Sequence[float | None]], filled: Sequence[Sample] | None, limits: Limits
) -> dict[str, bool]:
    """What is wrong with a grid, oldest point first, and whether that makes it unusable.

    ``own`` has None where no sample stood, ``filled`` is None if too few did.
    """
    words: dict[str, bool] = {}
    marked, unusable = limits.marked_share * len(own), limits.unusable_share * len(own)
    lost = max(sum(is_lost(point, phase, limits) for point in own) for phase in range(3))
    if lost >= marked:
        words["lost_phase"] = lost >= unusable
    if filled is None:
        return words
    runs = [stuck_run([point[phase] for point in filled], limits) for phase in range(3)]
    if max(runs) >= unusable:
        together = [
            point if all(abs(value) >= limits.off for value in point) else None for point in filled
        ]
        words["stuck_current"] = longest_run(together) >= unusable
    clipped = max(at_extreme([point[phase] for point in own], limits) for phase in range(3))
    if clipped >= marked:
        words["clipped_current"] = clipped >= unusable
    return words


def is_lost(point: Sequence[float | None], phase: int, limits: Limits) -> bool:
    """Whether another phase carries current at a point and this one next to nothing."""
    largest = max((abs(value) for value in point if value is not None), default=0.0)
    value = point[phase]
    return largest >= limits.off and (value is None or abs(value) < limits.lost_ratio * largest)


def stuck_run(values: Iterable[float], limits: Limits) -> int:
    """How many successive values are the same and no zero."""
    return longest_run([value if abs(value) >= limits.off else None for value in values])


def longest_run(values: Iterable[Any]) -> int:
    """Length of the longest run of equal values; None is equal to nothing."""
    longest, length, before = 1, 0, None
    for value in values:
        length = length + 1 if value is not None and value == before else 1
        longest, before = max(longest, length), value
    return longest


def at_extreme(values: Iterable[float | None], limits: Limits) -> int:
    """How many values have the largest magnitude, if the meter is on and not a coarse one."""
    sizes = [abs(value) for value in values if value is not None]
    if len(set(sizes)) <= limits.levels or max(sizes) < limits.off:
        return 0
    return sizes.count(max(sizes))


def is_live(values: Sequence[float]) -> bool:
    """Whether most values differ from the one before."""
    changes = [values[index] != values[index - 1] for index in range(1, len(values))]
    return 2 * sum(changes) > len(changes)


def clock_words(
    records: Sequence[Heard], modality: str, oldest_used: int, limits: Limits
) -> list[str]:
    """What the records of one source, as handed on, show of its clock."""
    heard = since_start(records)
    if not heard:
        return []
    words = []
    steps = steps_of(heard, limits)
    if steps and (oldest_used < max(steps) or heard[-1].times[-1] < max(steps)):
        words.append(f"clock_step_{modality}")
    standing = [heard[-1]]
    while len(standing) < len(heard):
        before = heard[-1 - len(standing)]
        if before.times[-1] != heard[-1].times[-1]:
            break
        standing.append(before)
    if heard[-1].ingest - standing[-1].ingest > limits.stall:
        words.append(f"frozen_clock_{modality}")
    return words


def steps_of(heard: Sequence[Heard], limits: Limits) -> list[int]:
    """The event time before each step of the clock."""
    return [
        before.times[-1] for before, record in pairwise(heard) if is_step(before, record, limits)
    ]


class SetBack:
    """Whether the clock of a source has gone back and not come again to where it was."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._newest: Heard | None = None
        self._was_at: int | None = None

    def heard(self, record: Heard) -> bool:
        """Whether it is so after the next record."""
        before = self._newest
        if before is None or record.boot != before.boot:
            self._newest, self._was_at = record, None
        elif record.seq > before.seq:
            if is_step(before, record, self._limits):
                self._was_at = max(before.times[-1], self._was_at or before.times[-1])
            self._newest = record
        assert self._newest is not None
        return self._was_at is not None and self._newest.times[-1] < self._was_at


def is_set_back(records: Sequence[Heard], limits: Limits) -> bool:
    """Whether the clock of a source is set back after the last of some records."""
    clock = SetBack(limits)
    return any([clock.heard(record) for record in records][-1:])


def since_start(records: Sequence[Heard]) -> list[Heard]:
    """The records since the producer last started, without those sent again."""
    heard: list[Heard] = []
    for record in records:
        if heard and record.boot != heard[-1].boot:
            heard = []
        if not heard or record.seq > heard[-1].seq:
            heard.append(record)
    return heard


def is_step(before: Heard, record: Heard, limits: Limits) -> bool:
    """Whether event time jumped back, or forward to where it should be."""
    gap = record.times[0] - before.times[-1]
    if gap < -limits.step:
        return True
    delays = [each.ingest - each.times[-1] for each in (before, record)]
    return gap > limits.step > delays[1] and delays[0] - delays[1] > limits.step
