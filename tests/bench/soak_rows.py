"""Many furnaces with small frames for minutes: nothing grows that should not.

The long one takes twenty minutes, the short one four. Both run only when they are asked for:
``make bench ROWS=soak.short``.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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

LOOK_BACK_S: Final = 121
DIMS: Final = 3
PART_S: Final = 6
_CATCH_UP_S: Final = 1_200.0
_ENCODER: Final = Encoder("dct", dct_basis(DIMS))


@dataclass(frozen=True, slots=True)
class Soak:
    """How much is sent for how long.

    Attributes
    ----------
    name
        Of the row.
    furnaces, minutes
        How many, and how long after a whole look-back.
    rate
        Event seconds a second.
    """

    name: str
    furnaces: int
    minutes: int
    rate: float

    def measure(self, stage: Stage) -> Iterator[Figure]:
        """Compare memory early and late."""
        with (
            stage.topics() as topics,
            topics.worker(stage.instant_triton(DIMS)) as worker,
            topics.manager() as manager,
        ):
            worker.until_ready()
            manager.until_ready()
            start_ns = time.time_ns() - round((LOOK_BACK_S + self.minutes * 60) * 1e9)
            for name in names(self.furnaces):
                topics.send(live([name], LOOK_BACK_S, start_ns=start_ns, encoder=_ENCODER))
            _say(f"sent the look-back of {self.furnaces} furnaces")
            past = self.furnaces * round(LOOK_BACK_S * NS_PER_S // PUBLISHED_SPEC.hop_ns - 4)
            until(lambda: topics.count(Topic.SCORES) >= past, worker.log.read_text, _CATCH_UP_S)
            _say(f"{past} windows of it are published")
            pids = {
                "stream processor": worker.process.pid,
                "alarm manager": manager.process.pid,
                "broker": pid_of(stage.kafka),
                "Redis": pid_of(stage.redis),
            }
            seen = [*self._live(topics, start_ns + LOOK_BACK_S * 10**9, pids)]
            refused = topics.count(Topic.DEAD_LETTERS, partitions=1)
        yield from self._growth(seen, pids)
        windows = (seen[-1].count - seen[0].count) / (seen[-1].at_s - seen[0].at_s)
        yield Figure(f"{self.name}.windows", "windows published a second", "1/s", (windows,))
        yield Figure(f"{self.name}.dead", "dead letters", "records", (float(refused),))

    def _live(self, topics: Topics, start_ns: int, pids: Mapping[str, int]) -> Iterator[Sample]:
        """Send part by part, each record when it is due, and look after each part."""
        begun_s, all_names = time.monotonic(), names(self.furnaces)
        parts = round(self.minutes * 60 * self.rate / PART_S)
        for number in range(parts):
            part_ns = start_ns + number * PART_S * 10**9
            for record in live(all_names, PART_S, start_ns=part_ns, encoder=_ENCODER):
                due_s = begun_s + (record.timestamp_ms - start_ns / 1e6) / 1e3 / self.rate
                time.sleep(max(0.0, due_s - time.monotonic()))
                topics.post(record)
            seen = sample(topics.count(Topic.SCORES), pids)
            held = ", ".join(f"{name} {mib:.0f} MiB" for name, mib in seen.memory_mib.items())
            _say(f"part {number + 1} of {parts}: {seen.count} windows; {held}")
            yield seen

    def _growth(self, seen: Sequence[Sample], pids: Mapping[str, int]) -> Iterator[Figure]:
        early, late = seen[len(seen) // 4 : len(seen) // 2], seen[-(len(seen) // 4) :]
        for name in pids:
            most, grown = peak_mib(late, name), peak_mib(late, name) - peak_mib(early, name)
            word = name.lower().replace(" ", "_")
            what = f"{name}: most memory in the last quarter of {self.minutes} minutes"
            yield Figure(f"{self.name}.memory.{word}", what, "MiB", (most,))
            what = f"{name}: what that is beyond the second quarter's"
            yield Figure(f"{self.name}.growth.{word}", what, "MiB", (grown,))
            cpu_s = seen[-1].cpu_s[name] - seen[0].cpu_s[name]
            each_ms = cpu_s / (seen[-1].at_s - seen[0].at_s) * 1e3
            yield Figure(f"{self.name}.cpu.{word}", f"{name}, a second", MS, (each_ms,))


def _say(what: str) -> None:
    print(f"  {time.strftime('%H:%M:%S', time.gmtime())} {what}", flush=True)


LONG: Final = Soak("soak.long", furnaces=1_000, minutes=10, rate=0.2)
"""Two cores hold no more than that rate."""
SHORT: Final = Soak("soak.short", furnaces=60, minutes=2, rate=1.0)
