"""Where a campaign takes place: topics of its own, the load on them, workers, and the verdict."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from kafka.consumer.fetcher import ConsumerRecord
from meltwatch_chassis.kafka.admin import Replication, create_topics
from meltwatch_schemas.topics import Topic

from tests.chaos.alarm_points import POINTS
from tests.chaos.alarm_verdict import judge_alarms, judge_forgeries, unsettled
from tests.chaos.load import PARTITIONS
from tests.chaos.oracle import Oracle
from tests.chaos.outlet import Outlet
from tests.chaos.referee import Referee
from tests.chaos.report import Report
from tests.chaos.tape import INPUTS, MARK, Reader, Score, Tape
from tests.chaos.verdict import judge, missing, unrefused
from tests.chaos.view import wrong_view
from tests.integration.stream_processor.worker import Tail, Worker
from tests.support.input_records import InputRecord
from tests.support.kept_topics import kept_catalogue
from tests.support.source import ROOT
from tests.support.waiting import until

MANAGER = "meltwatch_alarm_manager"
# How soon things go on is measured, not demanded: a machine may be busy with other work.
PATIENCE_S = 300.0
_STALL_S = 120.0
_SENDER_STOP_S = 120.0
# Small matrices on several threads would take the cores from those who are measured.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Site:
    """One campaign's topics, load and workers.

    Parameters
    ----------
    kafka, triton, redis
        Bootstrap servers, gRPC address, URL.
    folder
        For logs.
    replicas
        Of each partition.
    referee
        A Triton that nobody disturbs, for the verdict.
    programs
        What a worker and an alarm manager are; mutants in the mutants' campaign.
    speed
        Event seconds per second of the load.

    Attributes
    ----------
    managers
        All that were started; the first one with the site.
    programs
        The same; may be set anew, for those that are started then.
    """

    def __init__(
        self,
        kafka: str,
        triton: str,
        redis: str,
        folder: Path,
        *,
        replicas: int,
        referee: str,
        programs: tuple[Sequence[str], Sequence[str]],
        speed: float,
    ) -> None:
        self.kafka = kafka
        self.triton = triton
        self.redis = redis
        self.prefix = f"chaos{secrets.token_hex(4)}"
        self.folder = folder / self.prefix
        self.folder.mkdir(parents=True)
        self.faults: list[int] = []
        self._referee = referee
        self.programs = programs
        self._speed = speed
        self._workers: list[Worker] = []
        self.managers: list[Worker] = []
        self._sender: subprocess.Popen[bytes] | None = None
        make_topics(kafka, self.prefix, replicas)
        send_points(kafka, self.prefix)
        self._scores = Tail(kafka, Topic.SCORES.under(self.prefix), PARTITIONS)

    def __enter__(self) -> Self:
        self.manager(alarm_manager_instance="one")
        return self

    def __exit__(self, *_: object) -> None:
        for service in (*self._workers, *self.managers):
            service.process.send_signal(signal.SIGCONT)
            service.kill()
        if self._sender is not None:
            self._sender.kill()
            self._sender.wait()
        self._scores.__exit__(None, None, None)

    def send_load(self, seed: int = 1, load: str = "mixed") -> None:
        """Start the sender."""
        arguments = {
            "kafka": self.kafka,
            "prefix": self.prefix,
            "load": load,
            "seed": seed,
            "speed": self._speed,
        }
        options = [f"--{name}={value}" for name, value in arguments.items()]
        with (self.folder / "sender.log").open("wb") as log:
            self._sender = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.sender", *options],
                cwd=ROOT,
                env=os.environ | ONE_THREAD,
                stderr=log,
            )

    def stop_load(self) -> None:
        """Have the sender end its cycle."""
        if self._sender is not None and self._sender.poll() is None:
            self._sender.terminate()
        if self._sender is not None:
            code = self._sender.wait(_SENDER_STOP_S)
            assert code == 0, (self.folder / "sender.log").read_text()[-2000:]

    def worker(self, **settings: object) -> Worker:
        """Start a worker."""
        own = {
            "kafka": self.kafka,
            "triton": self.triton,
            "topic_prefix": self.prefix,
        }
        worker = Worker(self.folder, self.programs[0], **own | settings)
        self._workers.append(worker)
        return worker

    def manager(self, **settings: object) -> Worker:
        """Start an alarm manager."""
        own = {"kafka": self.kafka, "redis": self.redis, "topic_prefix": self.prefix}
        manager = Worker(self.folder, self.programs[1], **own | settings)
        self.managers.append(manager)
        return manager

    def relieve(self, worker: Worker, words: str) -> None:
        """Take note that a worker has ended by itself, as it must, and said why."""
        said = worker.log.read_text()
        assert (worker.process.poll(), words in said) == (1, True), said[-2000:]
        self._workers.remove(worker)

    def fault(self, what: str) -> None:
        """Take note that something was broken, or came back, at this moment."""
        self.faults.append(time.time_ns())
        print(f"{len(self.faults):4} {what}, {self.count()} windows", flush=True)

    def count(self) -> int:
        """How many scores there are."""
        return len(self.published())

    def published(self) -> list[ConsumerRecord]:
        """The scores so far, without those of strangers."""
        return [record for record in self._scores.read() if MARK not in dict(record.headers)]

    def wait_more(self, count: int = 1, limit_s: float = PATIENCE_S) -> None:
        """Wait for so many scores more than there are."""
        wanted = self.count() + count
        until(lambda: self.count() >= wanted, self.last_lines, limit_s)

    def last_lines(self) -> str:
        """What the sender and the newest worker said last."""
        logs = [self.folder / "sender.log", *(worker.log for worker in self._workers[-1:])]
        return "\n".join(log.read_text()[-1500:] for log in logs if log.exists())

    def finish(self, name: str, rounds: int, *, forged: bool = False, **judging: Any) -> Report:
        """Let the work end, then judge it.

        The last worker goes on until every window is there that must be, or nothing has come
        for a while; so does the last alarm manager with what is to be written of alarms.

        Parameters
        ----------
        name, rounds
            For the report.
        forged
            Whether alarms were forged: readers may have passed over true records then, for a
            while, but must show the truth in the end.
        judging
            See ``judge``.
        """
        self.stop_load()
        with Reader(self.kafka, self.prefix) as reader:
            self._wait_for_all(
                reader, lambda tape, oracle: missing(tape, oracle) or unrefused(tape, INPUTS)
            )
            _end(self._workers)
            self._wait_for_all(reader, lambda tape, _: unsettled(tape) or unrefused(tape))
            alarms = wrong_view(self.redis, self.prefix, reader, forged=forged)
            _end(self.managers)
            tape = reader.tape()
        verdict = judge(tape, Referee(self._referee), **judging)
        alarms += judge_alarms(tape)
        alarms += judge_forgeries(tape, self.prefix) if forged else []
        notes = [f"{len(tape.alarms)} alarm records, {len(tape.results)} commands answered"]
        return Report(
            name,
            rounds,
            verdict,
            recoveries(self.faults, tape.scores),
            alarms,
            self._deaths(),
            notes,
            tape,
        )

    def _deaths(self) -> list[str]:
        """What the services said last that ended by themselves."""
        told = (0, -signal.SIGKILL)
        return [
            f"exit code {service.process.returncode}: {service.log.read_text()[-300:]}"
            for service in (*self._workers, *self.managers)
            if service.process.poll() is not None and service.process.returncode not in told
        ]

    def _wait_for_all(self, reader: Reader, due: Callable[[Tape, Oracle], object]) -> None:
        """Wait until nothing is due any more, or nothing has come for a while."""
        tape = reader.tape()
        oracle, moved_s, count = Oracle(tape), time.monotonic(), 0
        while due(tape, oracle) and time.monotonic() - moved_s < _STALL_S:
            time.sleep(0.5)
            if reader.tape().size > count:
                moved_s, count = time.monotonic(), tape.size


def _end(services: Sequence[Worker]) -> None:
    for service in services:
        if service.process.poll() is None:
            service.stop()


def wait_for_event(service: Worker, event: str) -> None:
    """Wait until a service's log names an event."""
    ended = f"{service.log} ended before {event}"

    def is_told() -> bool:
        assert service.process.poll() is None, f"{ended}: {service.log.read_text()[-1000:]}"
        return event in service.log.read_text()

    until(is_told, service.log.read_text, PATIENCE_S)


def make_topics(kafka: str, prefix: str, replicas: int = 1) -> None:
    """Create the catalogue; nothing in it expires."""
    specs = kept_catalogue(prefix, PARTITIONS)
    create_topics({"bootstrap_servers": kafka.split(",")}, specs, Replication(replicas))


def send_points(kafka: str, prefix: str, beside: Mapping[str, Any] | None = None) -> None:
    """Send the alarm points of the load's furnaces, with fields beside their own."""
    headers = (("schema", b"alarm-point/1.0"), ("content-type", b"application/json"))
    now_ms = time.time_ns() // 1_000_000
    with Outlet(kafka, prefix) as outlet:
        for point in POINTS:
            fields = {**point.fields, **(beside or {})}
            key, value = point.alarm_id.encode(), json.dumps(fields).encode()
            outlet.send([InputRecord(Topic.ALARM_POINTS, key, value, headers, now_ms)])


def recoveries(faults: Sequence[int], scores: Sequence[Score]) -> list[float]:
    """Per fault, the seconds until every partition had a new window; the next fault ends it."""
    found = []
    for fault, following in zip(faults, [*faults[1:], 2**63], strict=True):
        firsts = [
            min(
                (s.published for s in scores if s.partition == number and s.published > fault),
                default=2**63,
            )
            for number in range(PARTITIONS)
        ]
        if max(firsts) < following:
            found.append((max(firsts) - fault) / 1e9)
    return found
