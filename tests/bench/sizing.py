"""Writes ``docs/sizing.md``: what a plant needs, by arithmetic from the figures of the benchmark.

``python -m tests.bench.sizing`` makes it anew from what was recorded; ``make bench`` does so too.
"""

# A sentence of the page is a line of it.
# ruff: noqa: E501

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, lcm
from typing import Final

from meltwatch_producers.feeds import meter_messages
from meltwatch_schemas.current import encode_current
from meltwatch_schemas.embedding import encode_embedding
from meltwatch_schemas.score import encode_score
from meltwatch_schemas.topics import Topic, catalogue
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.bench.figure import number
from tests.bench.ledger import Record
from tests.bench.plant_rows import FURNACES, MANY
from tests.support.builders import FURNACE, NOON_NS, current_chunk, embedding_chunk, window_score
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs" / "sizing.md"
PLANTS: Final = (10, 100, 1_000, 10_000)
LOAD: Final = 0.6
"""Share of a core that is planned for: the rest is for catching up after an outage."""
REPLICAS: Final = 3
PRESENT_LIMIT: Final = 2_000
"""``MELTWATCH_MAX_FURNACES`` of a process by default."""
_DAY_S: Final = 86_400
_MB: Final = 1e6
_GB: Final = 1e9
_WINDOWS_S: Final = 1e9 / PUBLISHED_SPEC.hop_ns
_FRAMES_S: Final = 1e9 / PUBLISHED_SPEC.frame_stride_ns
_PERIOD_NS: Final = lcm(PUBLISHED_SPEC.hop_ns, PUBLISHED_SPEC.sample_period_ns)
"""After so long a meter's messages are of the same lengths again."""
NOT_MEASURED: Final = "not measured"


@dataclass(frozen=True, slots=True)
class Need:
    """A line of the table: what, the arithmetic in words, and the amount for a count of furnaces.

    The amount is None where a figure that it needs was not measured.
    """

    what: str
    how: str
    amount: Callable[[int], float | None]

    def line(self) -> str:
        """Return it as a row."""
        cells = [_cell(self.amount(count)) for count in PLANTS]
        return f"| {self.what} | {self.how} | {' | '.join(cells)} |"


def _cell(amount: float | None) -> str:
    return NOT_MEASURED if amount is None else number(amount)


class Sizing:
    """The arithmetic.

    Parameters
    ----------
    record
        What was measured.
    """

    def __init__(self, record: Record) -> None:
        self._record = record

    def value(self, name: str) -> float | None:
        """Return the median of a figure."""
        found = self._record.figures.get(name)
        return None if found is None else found.value

    def cores(self, name: str, count: int) -> float | None:
        """Return the cores that a cost in ms a window takes for so many furnaces, at full load."""
        each_ms = self.value(name)
        return None if each_ms is None else count * _WINDOWS_S * each_ms / 1e3

    def processes(self, name: str, count: int) -> float | None:
        """Return how many processes of one core each that are, at the planned load."""
        cores = self.cores(name, count)
        if cores is None:
            return None
        return max(ceil(cores / LOAD), ceil(count / PRESENT_LIMIT))

    def partitions(self, count: int) -> float | None:
        """Return the partitions: at least two a worker, so that the work divides evenly."""
        workers = self.processes("stream.history.cpu", count)
        return None if workers is None else max(12.0, 2 * workers)

    def manager_cores(self, count: int) -> float | None:
        """Return what scores take that come one by one: the more come, the more share their cost."""
        few, many = self.cores("manager.live", FURNACES), self.cores("manager.live.many", MANY)
        if few is None or many is None:
            return None
        return few + (count - FURNACES) * (many - few) / (MANY - FURNACES)

    def broker_cores(self, count: int) -> float | None:
        """Return what the broker takes for windows and for scores that are judged."""
        parts = [self.cores(name, count) for name in ("stream.history.broker", "manager.broker")]
        return None if None in parts else sum(part for part in parts if part is not None)

    def worker_memory(self, count: int) -> float | None:
        """Return the memory of one worker, MiB: what 40 furnaces took, and more of them."""
        base, each_kib = self.value("stream.history.memory"), self.value("growth.memory")
        workers = self.processes("stream.history.cpu", count)
        if base is None or each_kib is None or workers is None:
            return None
        return base + max(0.0, count / workers - 40) * each_kib / 1024


def needs(record: Record) -> list[Need]:
    """Return the table's lines."""
    sizing = Sizing(record)
    bytes_s = _bytes_s()
    kept = {
        spec.topic: int(spec.config["retention.ms"]) / 1000
        for spec in catalogue("m", 1)
        if spec.topic in bytes_s
    }
    disk_b = sum(bytes_s[topic] * kept[topic] for topic in bytes_s)
    incoming_b = sum(bytes_s.values())
    return [
        Need("windows a second", "furnaces ÷ 1.44 s", lambda n: n * _WINDOWS_S),
        Need("worker cores", "windows × cost", lambda n: sizing.cores("stream.history.cpu", n)),
        Need(
            "workers",
            f"cores ÷ {LOAD}, and at most {PRESENT_LIMIT:,} furnaces each",
            lambda n: sizing.processes("stream.history.cpu", n),
        ),
        Need(
            "memory of a worker, MiB",
            "40 furnaces + the join's share of more",
            sizing.worker_memory,
        ),
        Need("partitions", "2 × workers, at least 12", sizing.partitions),
        Need(
            "manager cores, each score as it comes",
            f"a line through {FURNACES} and {MANY} furnaces",
            sizing.manager_cores,
        ),
        Need(
            "manager cores, many scores at once",
            "scores × cost of a backlog",
            lambda n: sizing.cores("manager.cpu", n),
        ),
        Need(
            "active managers, one an area",
            f"the latter ÷ {LOAD}, and at most {PRESENT_LIMIT:,} furnaces each",
            lambda n: sizing.processes("manager.cpu", n),
        ),
        Need("broker cores", "windows × cost, without replication", sizing.broker_cores),
        Need("Redis cores", "scores × cost", lambda n: sizing.cores("manager.redis", n)),
        Need(
            "Triton cores without a GPU",
            "windows × cost",
            lambda n: sizing.cores("stream.triton.cpu", n),
        ),
        Need("into Kafka, MB/s", "messages × size", lambda n: n * incoming_b / _MB),
        Need(
            "network of all brokers, MB/s",
            f"in, {REPLICAS - 1} replicas, out to the workers",
            lambda n: n * incoming_b * (REPLICAS + 1) / _MB,
        ),
        Need(
            "disk of all brokers, GB",
            f"bytes a second × retention × {REPLICAS} replicas",
            lambda n: n * disk_b * REPLICAS / _GB,
        ),
    ]


def _bytes_s() -> dict[Topic, float]:
    """Bytes a second of one furnace."""
    return {
        Topic.EMBEDDINGS: _FRAMES_S * len(encode_embedding(embedding_chunk())),
        Topic.CURRENTS: _meter_bytes_s(),
        Topic.SCORES: _WINDOWS_S * len(encode_score(window_score())),
    }


def _meter_bytes_s() -> float:
    """Bytes a second of a meter whose messages are cut as our producers cut them."""
    messages = meter_messages(PUBLISHED_SPEC, FURNACE, NOON_NS, NOON_NS + _PERIOD_NS)
    sizes = (len(encode_current(current_chunk(data=[[1e4] * 3] * len(each)))) for each in messages)
    return sum(sizes) / _PERIOD_NS * NS_PER_S


def page(record: Record) -> str:
    """Return the page."""
    head = f"| what | how | {' | '.join(f'{count:,}' for count in PLANTS)} |"
    table = [head, "|---" * (len(PLANTS) + 2) + "|", *(need.line() for need in needs(record))]
    per_furnace = " + ".join(f"{value / 1000:.2f} kB/s `{t}`" for t, value in _bytes_s().items())
    costs = (
        "stream.history.cpu",
        "manager.live",
        "manager.live.many",
        "manager.cpu",
        "stream.history.broker",
        "stream.triton.cpu",
    )
    found = [(name, record.figures[name]) for name in costs if name in record.figures]
    lines = [f"- `{name}`: {number(each.value)} {each.unit}, {each.what}" for name, each in found]
    return f"""\
# Sizing

This page is written by `make bench`. It is arithmetic from the figures in [benchmarks.md](benchmarks.md), which say on what machine they were taken. Nothing here was tried at that size.

## What a plant needs

By the number of furnaces:

{chr(10).join(table)}

## What it rests on

- A furnace sends a frame each 720 ms and two samples a second, those of a window in one message. A window closes each 1.44 s.
- By size that is {per_furnace}, uncompressed. A score whose probability is 0.2 or more also carries a map of 4 kB.
- Cores are planned for {LOAD:.0%} of their time. The rest is for the backlog after an outage.
- The cost of a window in a worker is that of a backlog read at once. Live, fewer records come with each fetch, and each takes more. A manager whose scores come one by one has a transaction for few of them. The more furnaces, the more scores share one.
- Replication between brokers and TLS are not in the brokers' cores: they were not measured.
- What a GPU takes was not measured. The cores of Triton are those of its stand-in backend on a processor.
{chr(10).join(lines)}

## Limits that arithmetic does not show

- One alarm manager is active for each topic prefix, and stays so ([ADR 0039](adr/0039-one-active-alarm-manager-a-prefix.md)). Where the table asks for more than one, divide the plant into areas, each under a prefix of its own.
- A process holds at most {PRESENT_LIMIT:,} furnaces unless `MELTWATCH_MAX_FURNACES` says otherwise. For the alarm manager that is a limit of the whole plant.
- A furnace lives in one partition and a partition in one worker. A worker that takes over a partition first reads its look-back: see `recovery` in [benchmarks.md](benchmarks.md).
"""


def write(record: Record) -> None:
    """Write the page."""
    PAGE.write_text(page(record))


if __name__ == "__main__":
    write(Record.read())
