"""``meltwatch run`` as anybody starts it: latencies, cost a second, a kill, a backtest."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from statistics import median, quantiles
from typing import Any, Final, Self

import msgpack
from kafka import KafkaConsumer, TopicPartition
from meltwatch_schemas.instants import ns_from_utc

from tests.bench.figure import MS, Figure, Goal
from tests.bench.processes import cpu_s, memory_mib
from tests.bench.stage import Stage
from tests.support.product import RunningProduct
from tests.support.waiting import until

LIVE_S: Final = 60
BACKTEST_S: Final = 60
WORKER: Final = "stream_processor"


def run(stage: Stage) -> Iterator[Figure]:
    """Measure two simulated furnaces live for a minute, then kill the worker, then judge again."""
    folder = stage.folder / "run"
    folder.mkdir()
    with RunningProduct(folder, "--furnaces", "2", "--seed", "1") as product:
        status = product.wait_ready()
        scores = Scores(status)
        until(lambda: len(scores.read()) >= 4, product.output)
        begun_ns = time.time_ns()
        with Raises(status) as raises:
            yield from _costs(product, status)
            yield from _latencies(scores.read(), begun_ns)
            yield from _after_kill(status, scores)
            yield from _backtests(product, stage.instant_triton())
        yield from raises.figures()


class Scores:
    """The scores of a run, as they come."""

    def __init__(self, status: Mapping[str, Any]) -> None:
        topic = f"{status['topic_prefix']}.scores.v1"
        self._consumer = KafkaConsumer(bootstrap_servers=status["kafka"])
        parts = [TopicPartition(topic, n) for n in self._consumer.partitions_for_topic(topic)]
        self._consumer.assign(parts)
        self._consumer.seek_to_beginning(*parts)
        self._found: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        """Return those up to now."""
        for records in self._consumer.poll(timeout_ms=100).values():
            self._found += [msgpack.unpackb(record.value) for record in records]
        return self._found


class Raises:
    """The process alarms that are raised while a run goes on, as a reader of the topic has them."""

    def __init__(self, status: Mapping[str, Any]) -> None:
        self._consumer = KafkaConsumer(
            f"{status['topic_prefix']}.alarms.v1",
            bootstrap_servers=status["kafka"],
            isolation_level="read_committed",
        )
        self._parts_s: list[tuple[float, float]] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._consumer.close()

    def _follow(self) -> None:
        while not self._is_over.is_set():
            found = self._consumer.poll(timeout_ms=500)
            read_ns = time.time_ns()
            for record in (record for records in found.values() for record in records):
                self._note(json.loads(record.value or b"{}"), read_ns)

    def _note(self, alarm: Mapping[str, Any], read_ns: int) -> None:
        if alarm.get("class") == "process" and alarm["transition"]["cause"] == "RAISE":
            instants = alarm["evidence"]["window_end"], alarm["times"]["ingest"]
            ended_ns, sent_ns = (ns_from_utc(datetime.fromisoformat(each)) for each in instants)
            self._parts_s.append(((read_ns - ended_ns) / 1e9, (read_ns - sent_ns) / 1e9))

    def figures(self) -> Iterator[Figure]:
        """Give how long after its window's end, and after the last record of it was sent."""
        if not self._parts_s:
            return
        whole, ours = (median(each) for each in zip(*self._parts_s, strict=True))
        yield Figure(
            "run.alarm",
            "window's end → alarm record is readable, half of them, wall clock",
            "s",
            (whole,),
            goal=Goal(0.9),
        )
        yield Figure(
            "run.alarm.ours",
            "of it sent → alarm record is readable, half of them, wall clock",
            MS,
            (ours * 1e3,),
            note=f"{len(self._parts_s)} alarms",
        )


def _costs(product: RunningProduct, status: Mapping[str, Any]) -> Iterator[Figure]:
    pids = {name: service["pid"] for name, service in status["services"].items()}
    pids = {name: pid for name, pid in pids.items() if pid}
    whole = product.process.pid
    before, total, begun_s = {n: cpu_s(p) for n, p in pids.items()}, cpu_s(whole), time.monotonic()
    time.sleep(LIVE_S)
    took_s = time.monotonic() - begun_s
    share = (cpu_s(whole) - total) / took_s * 1e3
    yield Figure(
        "run.cpu",
        "meltwatch run with two furnaces, a second",
        MS,
        (share,),
        note="all its processes",
    )
    for name, pid in sorted(pids.items()):
        ms = (cpu_s(pid) - before[name]) / took_s * 1e3
        yield Figure(f"run.cpu.{name}", f"of it {name}", MS, (ms,))
    yield Figure(
        "run.memory", "meltwatch run, memory of all processes", "MiB", (memory_mib(whole),)
    )


def _latencies(scores: Sequence[Mapping[str, Any]], begun_ns: int) -> Iterator[Figure]:
    """A record's ingest time is the clock when it was sent."""
    live = [each["times"] for each in scores if each["window_end_ns"] > begun_ns]
    parts = {
        "run.latency": ("sent → its window's score is published", "last_ingest_ns", "published_ns"),
        "run.latency.join": ("of it sent → joined", "last_ingest_ns", "joined_ns"),
        "run.latency.scoring": ("of it joined → published", "joined_ns", "published_ns"),
    }
    for name, (what, begin, end) in parts.items():
        taken_ms = [(times[end] - times[begin]) / 1e6 for times in live]
        cuts = quantiles(taken_ms, n=100, method="inclusive")
        goal = Goal(40.0) if name == "run.latency" else None
        yield Figure(f"{name}.p50", f"{what}, half of them, wall clock", MS, (cuts[49],))
        yield Figure(f"{name}.p99", f"{what}, 99 of 100, wall clock", MS, (cuts[98],), goal=goal)


def _after_kill(status: Mapping[str, Any], scores: Scores) -> Iterator[Figure]:
    furnaces = {each["furnace_id"] for each in scores.read()}
    killed_ns = time.time_ns()
    os.kill(status["services"][WORKER]["pid"], signal.SIGKILL)

    def firsts() -> dict[str, int] | None:
        found: dict[str, int] = {}
        for each in scores.read():
            if each["times"]["published_ns"] > killed_ns + 10**8:
                found.setdefault(each["furnace_id"], each["times"]["published_ns"])
        return found if found.keys() >= furnaces else None

    found = until(firsts, "scores after a kill")
    yield Figure(
        "run.kill",
        "worker killed → every furnace has a new window, wall clock",
        "s",
        ((max(found.values()) - killed_ns) / 1e9,),
        goal=Goal(10.0),
    )


def _backtests(product: RunningProduct, instant: str) -> Iterator[Figure]:
    """Judge the last minute again: by the run's Triton, and by one that takes no time."""
    what = "backtest of two furnaces: event seconds a second, start and report too"
    servers = {
        "": ("scored by Triton", []),
        ".instant": ("without a network", ["--triton", instant]),
    }
    for name, (how, options) in servers.items():
        begun_s = time.monotonic()
        stretch = ("--from", f"{BACKTEST_S + 10}s", "--to", "10s", "--json")
        done = product.command("backtest", *stretch, *options, timeout_s=200)
        took_s = time.monotonic() - begun_s
        if done.returncode not in (0, 1):  # 1: the scores differ, as they must without a network
            raise RuntimeError(f"backtest: {done.stderr[-300:]}")
        yield Figure(f"run.backtest{name}", f"{what}, {how}", "s/s", (BACKTEST_S / took_s,))
