"""A thousand furnaces with small frames for minutes: nothing grows that should not.

It takes twenty minutes and runs only when it is asked for: ``make bench ROWS=soak``.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from meltwatch_schemas.encoder import Encoder, dct_basis
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.bench.figure import MS, Figure
from tests.bench.processes import Sample, peak_mib, sample
from tests.bench.stage import Stage, Topics
from tests.bench.stream_rows import pid_of
from tests.bench.streams import names
from tests.support.input_records import live
from tests.support.waiting import until

FURNACES: Final = 1_000
MINUTES: Final = 10
RATE: Final = 0.2
"""Event seconds a second: two cores do not hold more."""
LOOK_BACK_S: Final = 121
DIMS: Final = 3
PART_S: Final = 6
_CATCH_UP_S: Final = 1_200.0
_ENCODER: Final = Encoder("dct", dct_basis(DIMS))


def soak(stage: Stage) -> Iterator[Figure]:
    """Send at a reduced rate; compare memory early and late."""
    with (
        stage.topics() as topics,
        topics.worker(stage.instant_triton(DIMS)) as worker,
        topics.manager() as manager,
    ):
        worker.until_ready()
        manager.until_ready()
        start_ns = time.time_ns() - round((LOOK_BACK_S + MINUTES * 60) * 1e9)
        _send_past(topics, start_ns)
        past = FURNACES * round(LOOK_BACK_S * NS_PER_S // PUBLISHED_SPEC.hop_ns - 4)
        until(lambda: topics.count(Topic.SCORES) >= past, worker.log.read_text, _CATCH_UP_S)
        pids = {
            "stream processor": worker.process.pid,
            "alarm manager": manager.process.pid,
            "broker": pid_of(stage.kafka),
            "Redis": pid_of(stage.redis),
        }
        seen = [*_live(topics, start_ns + LOOK_BACK_S * 10**9, pids)]
        refused = topics.count(Topic.DEAD_LETTERS, partitions=1)
    yield from _growth(seen, pids)
    windows = (seen[-1].count - seen[0].count) / (seen[-1].at_s - seen[0].at_s)
    yield Figure("soak.windows", "windows published a second", "1/s", (windows,))
    yield Figure("soak.dead", "dead letters", "records", (float(refused),))


def _growth(seen: Sequence[Sample], pids: Mapping[str, int]) -> Iterator[Figure]:
    early, late = seen[len(seen) // 4 : len(seen) // 2], seen[-(len(seen) // 4) :]
    for name in pids:
        most, grown = peak_mib(late, name), peak_mib(late, name) - peak_mib(early, name)
        word = name.lower().replace(" ", "_")
        what = f"{name}: most memory in the last quarter of {MINUTES} minutes"
        yield Figure(f"soak.memory.{word}", what, "MiB", (most,))
        what = f"{name}: what that is beyond the second quarter's"
        yield Figure(f"soak.growth.{word}", what, "MiB", (grown,))
        cpu_s = seen[-1].cpu_s[name] - seen[0].cpu_s[name]
        each_ms = cpu_s / (seen[-1].at_s - seen[0].at_s) * 1e3
        yield Figure(f"soak.cpu.{word}", f"{name}, a second", MS, (each_ms,))


def _send_past(topics: Topics, start_ns: int) -> None:
    """A whole look-back: from then on nothing has a reason to grow."""
    for name in names(FURNACES):
        topics.send(live([name], LOOK_BACK_S, start_ns=start_ns, encoder=_ENCODER))


def _live(topics: Topics, start_ns: int, pids: Mapping[str, int]) -> Iterator[Sample]:
    begun_s = time.monotonic()
    for number in range(round(MINUTES * 60 * RATE / PART_S)):
        part_ns = start_ns + number * PART_S * 10**9
        for record in live(names(FURNACES), PART_S, start_ns=part_ns, encoder=_ENCODER):
            due_s = begun_s + (record.timestamp_ms - start_ns / 1e6) / 1e3 / RATE
            time.sleep(max(0.0, due_s - time.monotonic()))
            topics.post(record)
        yield sample(topics.count(Topic.SCORES), pids)
