"""Another ensemble scores in shadow, gets its set-points, is served, and is taken back.

Two Tritons serve one ensemble to two workers. A third one has the other ensemble, which a worker in
shadow asks. ``meltwatch shadow propose`` prepares the alarm points. Then the Tritons are exchanged,
one after the other, again and again; the workers end by themselves when nobody serves theirs any
more, and whoever watches them starts them again, as Kubernetes does. In some exchanges a worker is
killed when one server has the new ensemble and one the old, or the alarm manager is.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from kafka.consumer.fetcher import ConsumerRecord
from meltwatch_local_cluster.servers import TritonServer
from meltwatch_schemas.default_setpoint import MODEL_DIGEST
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.score import SCHEMA, ModelIdentity, encode_score
from meltwatch_schemas.topics import Topic, timestamp_ms
from meltwatch_schemas.window import PUBLISHED_SPEC

from tests.chaos.digest_verdict import Exchange, judge_digests, notes, untold
from tests.chaos.fleet import Fleet
from tests.chaos.load import MEMBERS, PARTITIONS
from tests.chaos.manager_kill import LEADING
from tests.chaos.outlet import Outlet
from tests.chaos.referee import Referee
from tests.chaos.report import Report
from tests.chaos.site import PATIENCE_S, Site, wait_for_event
from tests.chaos.stage import Stage
from tests.chaos.tape import Tape
from tests.integration.stream_processor.worker import Tail, Worker
from tests.support.builders import window_score
from tests.support.input_records import ORIGIN_NS, InputRecord
from tests.support.logs import entries
from tests.support.repositories import SHIPPED, with_members_swapped
from tests.support.waiting import until

NAME: Final = "promotion"
TURNS: Final = ("", "a worker is killed midway", "the alarm manager is killed midway")
"""What else happens, exchange by exchange."""
HANDED_OVER: Final = "a restart takes up what is served now"
_FOR_EVER_S: Final = 1e9
"""The load's event times are long ago: in shadow they would be too old to be scored."""
_WATCHED_MS: Final = 170_000
"""Two minutes until its look-backs are whole, and some windows more."""
_EVERY: Final = 3
"""Of so many windows one is scored once more, by its own ensemble."""
_HOURS_WINDOWS: Final = 2_400
_BUDGET: Final = "100"
_HALF_A_DAY_NS: Final = 12 * 3600 * 10**9


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Exchange the ensemble so many times, to the other one and back."""
    rng = random.Random(seed)
    folder = Path(mkdtemp(prefix="promotion", dir=stage.folder))
    other = folder / "repository"
    digest = with_members_swapped(other)
    sides = ((SHIPPED, MODEL_DIGEST), (other, digest))
    with ExitStack() as servers:
        candidate = servers.enter_context(TritonServer(folder / "candidate", repository=other))
        fleet = Fleet(folder)
        for server in fleet.servers:
            servers.enter_context(server)
        with stage.site(triton=fleet) as site:
            wait_for_event(site.managers[-1], LEADING)
            site.send_load(seed)
            session = {"session_timeout_s": stage.session_s}
            workers = [site.worker(**session), site.worker(**session)]
            _prepare(site, candidate, digest)
            crew = _Crew(site, workers, session)
            exchanges = []
            for number in range(rounds):
                (_, old), (repository, new) = sides[number % 2], sides[(number + 1) % 2]
                turn = TURNS[number % len(TURNS)]
                site.fault(f"from {old[:8]} to {new[:8]}" + (turn and f", {turn}"))
                began_ns, ended_ns = crew.exchange(fleet, repository, turn)
                exchanges.append(Exchange(old, new, began_ns, ended_ns))
                site.wait_more(rng.randrange(100, 150))
                crew.until_all_say(new)
            referees = {digest: Referee(candidate.address)}
            report = site.finish(NAME, rounds, every=_EVERY, others=referees)
            _judge(site, report, exchanges)
    return report


class _Crew:
    """The workers, and who starts them again when they have ended by themselves."""

    def __init__(self, site: Site, workers: list[Worker], session: dict[str, float]) -> None:
        self._site = site
        self._workers = workers
        self._session = session

    def exchange(self, fleet: Fleet, repository: Path, turn: str) -> tuple[int, int]:
        """Have all servers serve another repository; return when that began and ended, ns."""
        first, last = fleet.servers
        refused = [_times_refused(worker) for worker in self._workers]
        began_ns = Fleet.replace(first, repository)
        for worker, before in zip(self._workers, refused, strict=True):
            until(
                lambda w=worker, n=before: _times_refused(w) > n, worker.log.read_text, PATIENCE_S
            )
        newcomers = []
        if "worker" in turn:
            self._workers.pop(0).kill()
            newcomers.append(self._start())
        elif "manager" in turn:
            self._succeed()
        self._site.wait_more(20)
        ended_ns = Fleet.replace(last, repository)
        self._workers = [*newcomers, *(self._relieved(worker) for worker in self._workers)]
        return began_ns, ended_ns

    def until_all_say(self, digest: str) -> None:
        """Wait until the metrics of each worker name an ensemble."""
        for worker in self._workers:
            until(lambda w=worker: f'digest="{digest}"' in w.ask("metrics"), worker.log.read_text)

    def _start(self) -> Worker:
        worker = self._site.worker(**self._session)
        wait_for_event(worker, "ensemble_identified")
        return worker

    def _relieved(self, worker: Worker) -> Worker:
        """Wait until one has ended because nobody serves its ensemble; start another."""
        until(lambda: worker.process.poll() is not None, worker.log.read_text, PATIENCE_S)
        self._site.relieve(worker, HANDED_OVER)
        return self._start()

    def _succeed(self) -> None:
        self._site.managers[-1].kill()
        wait_for_event(self._site.manager(alarm_manager_instance="one"), LEADING)


def _times_refused(worker: Worker) -> int:
    return worker.events()["triton_endpoint_refused"]


def _prepare(site: Site, candidate: TritonServer, digest: str) -> None:
    """Watch the other ensemble in shadow, and prepare the alarm points for it."""
    topic = Topic.SHADOW_SCORES.under(site.prefix)
    shadow = site.worker(
        shadow_ensemble="fmformer", triton=candidate.address, shed_after_s=_FOR_EVER_S
    )
    with Tail(site.kafka, topic, PARTITIONS) as watched:
        watched.until(lambda found: _length_ms(found) >= _WATCHED_MS, PATIENCE_S)
    began = rfc3339(utc_from_ns(ORIGIN_NS))
    told = json.loads(_meltwatch(site, "shadow", "report", "--from", began, "--json"))
    digests = [told[side]["model_digest"] for side in ("live", "shadow")]
    assert digests == [MODEL_DIGEST, digest], told
    assert told["pairs"]["same content"] > 0, told
    assert told["correlation"] < 1.0, "the other ensemble must answer otherwise"
    assert shadow.stop() == 0, shadow.log.read_text()[-2000:]
    with Outlet(site.kafka, site.prefix) as outlet:
        outlet.send(list(_simulated_hours(digest)))
    file = site.folder / "next.yaml"
    _meltwatch(site, "shadow", "propose", "--budget", _BUDGET, "--from", "12h", "--out", str(file))
    why = ("--why", "promotion", "--user", "chaos", "--yes")
    _meltwatch(site, "alarms", "points", "apply", str(file), *why)


def _length_ms(records: Sequence[ConsumerRecord]) -> int:
    times = [record.timestamp for record in records]
    return max(times, default=0) - min(times, default=0)


def _simulated_hours(digest: str) -> Iterator[InputRecord]:
    """Scores as of the last hours: a set-point asks for more than a campaign lasts.

    They are simulated, and of another time than the load, whose scores in shadow are real.
    """
    model = ModelIdentity("fmformer", "1", digest)
    since_ns = time.time_ns() - _HALF_A_DAY_NS // 2
    for member in MEMBERS:
        first_ns = PUBLISHED_SPEC.first_end_after(member.name, since_ns)
        for number in range(_HOURS_WINDOWS):
            peak, within = divmod(number, 170)
            logit = 7.0 + 0.15 * (peak * 7 % 11) if within < 5 else 2.0 + 0.001 * (number % 97)
            end_ns = first_ns + number * PUBLISHED_SPEC.hop_ns
            score = window_score(end_ns, member.name, logit, model=model)
            yield InputRecord(
                Topic.SHADOW_SCORES,
                member.name.encode(),
                encode_score(score),
                tuple(headers_for(SCHEMA)),
                timestamp_ms(end_ns),
            )


def _meltwatch(site: Site, *words: str) -> str:
    told = {"MELTWATCH_KAFKA": site.kafka, "MELTWATCH_TOPIC_PREFIX": site.prefix}
    done = subprocess.run(
        [sys.executable, "-m", "meltwatch_cli", *words],
        env=os.environ | told, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def _judge(site: Site, report: Report, exchanges: Sequence[Exchange]) -> None:
    tape: Tape = report.tape
    report.verdict.changed += judge_digests(tape, exchanges)
    report.alarms += untold(tape, _told(site.managers))
    report.notes += notes(tape, exchanges)
    raised = {
        fields["model"]["digest"]: True
        for fields in (message.fields for message in tape.alarms)
        if fields["transition"]["cause"] == "RAISE" and fields["class"] == "process"
    }
    if len(raised) < len({each.new for each in exchanges}):
        report.alarms.append("the alarms of one ensemble were never tried: none was raised by it")


def _told(managers: Sequence[Worker]) -> set[tuple[str, Any]]:
    return {
        (entry["furnace"], entry["digest"])
        for manager in managers
        for entry in entries(manager.log)
        if entry["event"] == "setpoint_in_force"
    }
