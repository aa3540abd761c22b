"""From Kafka to scores: the stream processor, beside bare loops on the same records."""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from meltwatch_local_cluster.servers import Server
from meltwatch_local_cluster.servers.triton_installation import triton_installation
from meltwatch_schemas.topics import Topic

from tests.bench.figure import MS, Figure, Goal
from tests.bench.processes import (
    Sample,
    alike,
    cpu_ms_per_unit,
    cpu_s,
    peak_mib,
    units_per_s,
    watched,
)
from tests.bench.stage import Stage, Topics, loop
from tests.bench.streams import names
from tests.support.input_records import InputRecord, live

FURNACES: Final = 40
SECONDS: Final = 130
WINDOWS: Final = 85
"""Of each furnace, at least: the last ones stay open."""
TRITON_WINDOWS: Final = 400
"""Real networks take their time: so many are enough."""
OURS: Final = "stream processor"
BROKER: Final = "broker"


@cache
def _records(furnaces: int) -> Sequence[InputRecord]:
    return live(names(furnaces), SECONDS)


def pid_of(server: Server) -> int:
    """Return the process of a server."""
    pid = server.state.pid
    assert pid is not None
    return pid


def followed(topics: Topics, triton: str, pids: dict[str, int], enough: int) -> list[Sample]:
    """Let a stream processor read what is there; follow its scores."""
    before = topics.count(Topic.SCORES)
    with topics.worker(triton) as worker:
        return watched(
            lambda: topics.count(Topic.SCORES) - before,
            {OURS: worker.process.pid} | pids,
            enough,
        )


def _start_s(stage: Stage) -> float:
    """Return what a stream processor takes before there is anything to read, seconds."""
    with stage.topics() as nothing, nothing.worker(stage.instant_triton()) as worker:
        worker.until_ready()
        return cpu_s(worker.process.pid)


def _whole(samples: Sequence[Sample], start_s: float) -> list[Sample]:
    """Count from the start: much is read before the first score."""
    return [replace(samples[0], count=0, cpu_s={OURS: start_s}), *samples]


def history(stage: Stage) -> Iterator[Figure]:
    """Measure 40 furnaces' history of 130 s, sent at once, against a Triton that takes no time."""
    start_s = _start_s(stage)
    with stage.topics() as topics:
        records = _records(FURNACES)
        before_s = cpu_s(pid_of(stage.kafka))
        topics.send(records)
        sent_s = cpu_s(pid_of(stage.kafka)) - before_s
        bare = ["--kafka", topics.kafka, "--topics", *topics.inputs]
        decoded = loop(["decode", *bare])
        ours = followed(
            topics, stage.instant_triton(), {BROKER: pid_of(stage.kafka)}, FURNACES * WINDOWS
        )
        scores = ["--triton", stage.instant_triton(), "--scores", topics.name(Topic.SHADOW_SCORES)]
        scored = loop(["score", *bare, *scores])
    a_window = len(records) / ours[-1].count
    cpu = cpu_ms_per_unit(_whole(ours, start_s), OURS)
    yield Figure(
        "stream.history.cpu",
        f"stream processor, a published window of {a_window:.1f} records",
        MS,
        cpu,
        {
            "bare consumer, Triton client and producer": _as(cpu_ms_per_unit(scored, "loop"), cpu),
            "bare consumer that decodes": _as(
                [value * a_window for value in cpu_ms_per_unit(decoded, "loop")], cpu
            ),
        },
        Goal(1.5),
    )
    sent_ms = sent_s / ours[-1].count * 1e3
    broker = tuple(sent_ms + value for value in cpu_ms_per_unit(ours, BROKER))
    yield Figure(
        "stream.history.broker",
        "broker, a window: records taken and fetched, score taken, offsets committed",
        MS,
        broker,
        goal=Goal(1.5),
        note=f"{sent_ms:.2f} ms of it while the records were sent",
    )
    rate = units_per_s(ours)
    yield Figure(
        "stream.history.rate",
        "scores a second, with a Triton that answers at once",
        "1/s",
        rate,
        {"bare consumer, Triton client and producer": _as(units_per_s(scored), rate)},
    )
    yield Figure(
        "stream.history.memory",
        f"stream processor, most memory with {FURNACES} furnaces",
        "MiB",
        (peak_mib(ours, OURS),),
    )


def triton(stage: Stage) -> Iterator[Figure]:
    """Measure the same against the real Triton, in turns with the bare loop."""
    address, pids = stage.triton.address, {"triton": pid_of(stage.triton)}
    rates: list[float] = []
    bare_rates: list[float] = []
    triton_ms: list[float] = []
    with stage.topics() as topics:
        topics.send(_records(FURNACES))
        bare = ["--kafka", topics.kafka, "--topics", *topics.inputs]
        scores = ["--triton", address, "--scores", topics.name(Topic.SHADOW_SCORES)]
        for _ in range(2):
            ours = followed(topics, address, pids, TRITON_WINDOWS)
            rates += units_per_s(ours)
            triton_ms += cpu_ms_per_unit(ours, "triton")
            scored = loop(["score", *bare, *scores, "--most", str(TRITON_WINDOWS)])
            bare_rates += _as(units_per_s(scored), units_per_s(ours))
    yield Figure(
        "stream.triton.rate",
        "scores a second, with the real Triton",
        "1/s",
        tuple(rates),
        {"bare consumer, Triton client and producer": tuple(bare_rates)},
        Goal(0.85, of_ratio=True, at_least=True),
    )
    yield Figure(
        "stream.triton.cpu",
        "Triton, a window, with what carries it there",
        MS,
        tuple(triton_ms),
        {"bare ONNX Runtime, one thread": alike(bare_onnx(stage), len(triton_ms))},
        Goal(1.1, of_ratio=True),
        note="on this processor, by the stand-in backend",
    )


def bare_onnx(stage: Stage) -> list[float]:
    """Return what ONNX Runtime alone takes for a window, ms of processor time."""
    python = Path(triton_installation().commands, "python")
    program = Path(__file__).with_name("bare_onnx.py")
    said = subprocess.run(
        [python, program, stage.triton.repository, "25"],
        env={"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [float(line) for line in said.stdout.splitlines()]


def _as(values: Sequence[float], ours: Sequence[float]) -> tuple[float, ...]:
    """Bring a baseline's parts to the number of ours."""
    found = tuple(values)
    return found if len(found) == len(ours) else alike(found, len(ours))
