"""The alarm manager as a process, and what comes back after a kill."""

import re
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Final

from meltwatch_schemas.default_setpoint import MODEL_DIGEST
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.score import SCHEMA, ModelIdentity, encode_score
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.bench.figure import MS, Figure, Goal
from tests.bench.processes import alike, cpu_ms_per_unit, cpu_s, peak_mib, units_per_s, watched
from tests.bench.stage import Stage, Topics, loop
from tests.bench.stream_rows import pid_of
from tests.bench.streams import names
from tests.integration.stream_processor.worker import Worker
from tests.support.builders import window_score
from tests.support.input_records import InputRecord, live
from tests.support.waiting import until

FURNACES: Final = 100
MANY: Final = 800
HOPS: Final = 320
LIVE_HOPS: Final = 8
LONGEST_S: Final = 60.0
OURS: Final = "alarm manager"
_JUDGED: Final = re.compile(
    r'meltwatch_records_total{outcome="judged",[^}]*topic="[^"]*scores[^"]*"} ([0-9.e+]+)'
)
HISTORY_S: Final = 130
AFTER_S: Final = 8


def manager(stage: Stage) -> Iterator[Figure]:
    """Measure a healthy plant's scores, sent at once to a manager that leads."""
    with stage.topics() as topics, topics.manager() as judge:
        judge.until_ready()
        now_ns = time.time_ns()
        topics.send(_scores(FURNACES, now_ns - (HOPS + 2) * PUBLISHED_SPEC.hop_ns, HOPS))
        bare = loop(["decode", "--kafka", topics.kafka, "--topics", topics.name(Topic.SCORES)])
        pids = {
            OURS: judge.process.pid,
            "redis": pid_of(stage.redis),
            "broker": pid_of(stage.kafka),
        }
        seen = watched(lambda: _judged(judge), pids, HOPS * FURNACES, LONGEST_S, every_s=1.0)
        live_ms = _live_ms(topics, judge, FURNACES)
    with stage.topics() as topics, topics.manager() as judge:
        judge.until_ready()
        many_ms = _live_ms(topics, judge, MANY)
    cpu = cpu_ms_per_unit(seen, OURS)
    decoded = alike(cpu_ms_per_unit(bare, "loop"), len(cpu))
    yield Figure(
        "manager.cpu",
        f"alarm manager, a score of {FURNACES} furnaces",
        MS,
        cpu,
        {"bare consumer that decodes": decoded},
        Goal(0.15),
    )
    for name, count, each_ms in (
        ("manager.live", FURNACES, live_ms),
        ("manager.live.many", MANY, many_ms),
    ):
        yield Figure(
            name,
            f"alarm manager, a score of {count} furnaces that come as they close",
            MS,
            (each_ms,),
            goal=Goal(0.15),
            note="ticks and heartbeats too",
        )
    yield Figure("manager.redis", "Redis, a score", MS, cpu_ms_per_unit(seen, "redis"))
    yield Figure("manager.broker", "broker, a score judged", MS, cpu_ms_per_unit(seen, "broker"))
    yield Figure("manager.rate", "scores judged a second", "1/s", units_per_s(seen))
    yield Figure("manager.memory", "alarm manager, most memory", "MiB", (peak_mib(seen, OURS),))


def _judged(judge: Worker) -> int:
    return round(sum(float(found) for found in _JUDGED.findall(judge.ask("metrics"))))


def _live_ms(topics: Topics, judge: Worker, furnaces: int) -> float:
    """Send scores when their windows have ended; return what each has cost the manager."""
    begun_s = cpu_s(judge.process.pid)
    scores = sorted(
        _scores(furnaces, time.time_ns(), LIVE_HOPS), key=lambda each: each.timestamp_ms
    )
    for each in scores:
        time.sleep(max(0.0, each.timestamp_ms / 1e3 - time.time()))
        topics.post(each)
    time.sleep(1)
    return (cpu_s(judge.process.pid) - begun_s) / len(scores) * 1e3


def _scores(furnaces: int, start_ns: int, hops: int) -> Iterator[InputRecord]:
    firsts = {name: PUBLISHED_SPEC.first_end_after(name, start_ns) for name in names(furnaces)}
    model, headers = ModelIdentity("fmformer", "1", MODEL_DIGEST), tuple(headers_for(SCHEMA))
    for hop in range(hops):
        for name, first_ns in firsts.items():
            end_ns = first_ns + hop * PUBLISHED_SPEC.hop_ns
            value = encode_score(window_score(end_ns, name, model=model))
            yield InputRecord(Topic.SCORES, name.encode(), value, headers, end_ns // 1_000_000)


def recovery(stage: Stage) -> Iterator[Figure]:
    """Kill a stream processor and start another one, with few and many furnaces a partition."""
    for count in (1, 20):
        records = live(names(count), HISTORY_S + AFTER_S)
        edge_ms = records[0].timestamp_ms + HISTORY_S * 1000
        before = [record for record in records if record.timestamp_ms < edge_ms]
        after = [record for record in records if record.timestamp_ms >= edge_ms]
        yield Figure(
            f"recovery.{count}",
            f"killed, started again: next window of each of {count} furnaces of a partition",
            "s",
            (_recovered(stage, count, before, after),),
            goal=Goal(10.0),
            note="wall clock, with the start of a process and 6 s of the group's session",
        )


def _recovered(
    stage: Stage, count: int, before: Sequence[InputRecord], after: Sequence[InputRecord]
) -> float:
    with stage.topics(partitions=1) as topics:
        topics.send(before)
        with topics.worker(stage.instant_triton()) as worker:
            enough = count * (HISTORY_S * NS_PER_S // PUBLISHED_SPEC.hop_ns - 4)
            until(lambda: topics.count(Topic.SCORES) >= enough, worker.log.read_text)
            time.sleep(3)  # what it has acknowledged is committed once a second
            worker.process.send_signal(signal.SIGKILL)
            worker.process.wait()
        begun_s, published = time.monotonic(), topics.count(Topic.SCORES)
        with topics.worker(stage.instant_triton()) as worker:
            topics.send(after)
            # All hops are alike, so the first ones that come are one of each furnace.
            enough = published + count
            until(lambda: topics.count(Topic.SCORES) >= enough, worker.log.read_text)
        return time.monotonic() - begun_s
