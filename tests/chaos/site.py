"""Where a campaign takes place: topics of its own, the load on them, workers, and the verdict."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from meltwatch_chassis.topics_admin import create_topics
from meltwatch_schemas.topics import Topic, catalogue

from tests.chaos.load import PARTITIONS
from tests.chaos.oracle import Oracle
from tests.chaos.referee import Referee
from tests.chaos.report import Report
from tests.chaos.tape import Reader, Score
from tests.chaos.verdict import judge, missing
from tests.integration.stream_processor.worker import Tail, Worker, wait_until
from tests.support.source import ROOT

_STALL_S = 30.0
# Only what never comes is a fault: a machine may be busy with seven other things.
_PATIENCE_S = 300.0
_SENDER_STOP_S = 120.0
# Small matrices on several threads would take the cores from those who are measured.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Site:
    """One campaign's topics, load and workers.

    Parameters
    ----------
    kafka, triton
        Bootstrap servers and gRPC address.
    folder
        For logs.
    replicas
        Of each partition.
    referee
        A Triton that nobody disturbs, for the verdict.
    program
        What a worker is; a mutant in the mutants' campaign.
    speed
        Event seconds per second of the load.
    """

    def __init__(
        self,
        kafka: str,
        triton: str,
        folder: Path,
        *,
        replicas: int,
        referee: str,
        program: Sequence[str],
        speed: float,
    ) -> None:
        self.kafka = kafka
        self.triton = triton
        self.prefix = f"chaos{secrets.token_hex(4)}"
        self.folder = folder / self.prefix
        self.folder.mkdir(parents=True)
        self.faults: list[int] = []
        self._referee = referee
        self._program = program
        self._speed = speed
        self._workers: list[Worker] = []
        self._sender: subprocess.Popen[bytes] | None = None
        make_topics(kafka, self.prefix, replicas)
        self.scores = Tail(kafka, Topic.SCORES.under(self.prefix), PARTITIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.send_signal(signal.SIGCONT)
            worker.kill()
        if self._sender is not None:
            self._sender.kill()
            self._sender.wait()
        self.scores.__exit__(None, None, None)

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
        worker = Worker(self.folder, self._program, **own | settings)
        self._workers.append(worker)
        return worker

    def fault(self, what: str) -> None:
        """Take note that something was broken, or came back, at this moment."""
        self.faults.append(time.time_ns())
        print(f"{len(self.faults):4} {what}, {len(self.scores.records)} windows", flush=True)

    def count(self) -> int:
        """How many scores there are."""
        return len(self.scores.read())

    def wait_more(self, count: int = 1, limit_s: float = _PATIENCE_S) -> None:
        """Wait for so many scores more than there are."""
        wanted = self.count() + count
        wait_until(lambda: self.count() >= wanted, limit_s, self.last_lines)

    def last_lines(self) -> str:
        """What the newest worker said last."""
        return self._workers[-1].log.read_text()[-1500:] if self._workers else "no worker"

    def finish(self, name: str, rounds: int, **judging: Any) -> Report:
        """Let the work end, then judge it.

        The last worker goes on until every window is there that must be, or nothing has come
        for a while.
        """
        self.stop_load()
        with Reader(self.kafka, self.prefix) as reader:
            self._wait_for_all(reader)
            self._end_workers()
            tape = reader.tape()
        verdict = judge(tape, Referee(self._referee), **judging)
        return Report(name, rounds, verdict, recoveries(self.faults, tape.scores))

    def _wait_for_all(self, reader: Reader) -> None:
        tape = reader.tape()
        oracle, moved_s, count = Oracle(tape), time.monotonic(), 0
        while missing(tape, oracle) and time.monotonic() - moved_s < _STALL_S:
            time.sleep(0.5)
            if len(reader.tape().scores) > count:
                moved_s, count = time.monotonic(), len(tape.scores)

    def _end_workers(self) -> None:
        for worker in self._workers:
            if worker.process.poll() is None:
                assert worker.stop() == 0, worker.log.read_text()[-2000:]


def wait_for_event(worker: Worker, event: str, limit_s: float = _PATIENCE_S) -> None:
    """Wait until a worker's log names an event."""
    wait_until(lambda: event in worker.log.read_text(), limit_s, worker.log.read_text)


def make_topics(kafka: str, prefix: str, replicas: int = 1) -> None:
    """Create the catalogue; nothing in it expires."""
    specs = [
        replace(spec, config=spec.config | {"retention.ms": "-1"})
        for spec in catalogue(prefix, PARTITIONS)
    ]
    create_topics({"bootstrap_servers": kafka.split(",")}, specs, replicas)


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
