"""What other processes cost: processor time and memory of a process and all that it started."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import psutil

_MIB: Final = 2**20


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all its living descendants."""
    try:
        head = psutil.Process(pid)
        return [head, *head.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_s(pid: int) -> float:
    """Return the processor time of a process and its descendants, living and dead, seconds."""
    total = 0.0
    for each in family(pid):
        try:
            total += sum(each.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


def memory_mib(pid: int) -> float:
    """Return what a process and its descendants hold in memory, MiB."""
    total = 0.0
    for each in family(pid):
        try:
            total += each.memory_info().rss / _MIB
        except psutil.NoSuchProcess:
            continue
    return total


@dataclass(frozen=True, slots=True)
class Sample:
    """How far some work has come, and what it has cost so far.

    Attributes
    ----------
    at_s
        Clock on the wall.
    count
        Units of work that are done.
    cpu_s, memory_mib
        By process.
    """

    at_s: float
    count: int
    cpu_s: Mapping[str, float]
    memory_mib: Mapping[str, float]


def watched(
    count: Callable[[], int],
    pids: Mapping[str, int],
    enough: int,
    limit_s: float = 120.0,
    every_s: float = 0.1,
) -> list[Sample]:
    """Follow work from its first unit until enough is done or time is up."""
    samples: list[Sample] = []
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s and (not samples or samples[-1].count < enough):
        found = count()
        if found and (not samples or found > samples[-1].count):
            samples.append(sample(found, pids))
        time.sleep(every_s)
    if len(samples) < 3:
        raise RuntimeError(f"expected work to go on for {limit_s:.0f} s, got {samples}")
    return samples


def sample(count: int, pids: Mapping[str, int]) -> Sample:
    """Look once."""
    return Sample(
        time.monotonic(),
        count,
        {name: cpu_s(pid) for name, pid in pids.items()},
        {name: memory_mib(pid) for name, pid in pids.items()},
    )


def pieces(samples: Sequence[Sample], parts: int = 3) -> list[tuple[Sample, Sample]]:
    """Cut work into parts of about equal counts: each is a run of its own."""
    first, last = samples[0].count, samples[-1].count
    cuts = [samples[0]]
    for number in range(1, parts):
        wanted = first + (last - first) * number / parts
        cuts.append(min(samples, key=lambda each: abs(each.count - wanted)))
    cuts.append(samples[-1])
    return [(a, b) for a, b in pairwise(cuts) if b.count > a.count]


def cpu_ms_per_unit(samples: Sequence[Sample], name: str) -> tuple[float, ...]:
    """Return the processor time of a process for a unit of work, ms, part by part."""
    return tuple(
        (b.cpu_s[name] - a.cpu_s[name]) / (b.count - a.count) * 1e3 for a, b in pieces(samples)
    )


def units_per_s(samples: Sequence[Sample]) -> tuple[float, ...]:
    """Return units of work a second, part by part."""
    return tuple((b.count - a.count) / (b.at_s - a.at_s) for a, b in pieces(samples))


def peak_mib(samples: Sequence[Sample], name: str) -> float:
    """Return the most memory that was seen."""
    return max(each.memory_mib[name] for each in samples)


def alike(values: Sequence[float], count: int) -> tuple[float, ...]:
    """Return so many values for runs that were not taken in the same turns: the median."""
    return (statistics.median(values),) * count
