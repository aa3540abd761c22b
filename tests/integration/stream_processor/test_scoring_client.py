"""The scoring client on real Triton servers: one and two of them, killed, reloaded, half dead."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.settings import TritonSettings
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import Reading
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.errors import EndpointError, ReloadRefusedError
from meltwatch_core.scoring.failover import Failover, FailoverTiming
from meltwatch_core.scoring.judge import Judge, Judgement, Patience
from meltwatch_core.scoring.triton_call import ScoringCall
from meltwatch_core.scoring.triton_endpoint import TritonEndpoint
from meltwatch_local_cluster.servers import TritonServer
from meltwatch_local_cluster.servers.child import ChildCommand
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import read_current, read_embedding
from meltwatch_schemas.score import Modality
from meltwatch_schemas.tensors import ENSEMBLE
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import PUBLISHED_SPEC
from structlog.testing import capture_logs
from tritonclient.grpc.aio import InferenceServerClient

from tests.integration.stream_processor.worker import Works, gaps
from tests.support.entries import entry_of
from tests.support.input_records import InputRecord, live
from tests.support.waiting import LIMIT_S, until
from tests.unit.core.scoring.samples import FORM

pytestmark = pytest.mark.integration

DEADLINE_S = 30.0
MEMBER = f"{ENSEMBLE}_member_a"
Pair = tuple[TritonServer, TritonServer]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two servers, each with a model repository of its own."""
    ours = TritonServer(tmp_path_factory.getbasetemp()).repository
    first, second = (
        TritonServer(folder, repository=Path(shutil.copytree(ours, folder / "repository")))
        for folder in (tmp_path_factory.mktemp("triton") for _ in range(2))
    )
    try:
        # Side by side.
        first.start()
        with second:
            first.wait_ready()
            yield first, second
            second.kill()
    finally:
        first.kill()


@pytest.fixture(scope="module")
def window() -> AlignedWindow:
    """A window with both modalities."""
    joiner, offsets = PartitionJoiner(0, default_encoder()), Counter[Topic]()
    made: list[AlignedWindow] = []
    for record in live(["melt/a"], 135.0):
        raw = record.at(offsets[record.topic])
        offsets[record.topic] += 1
        read = read_embedding if record.topic is Topic.EMBEDDINGS else read_current
        made += joiner.advance(entry_of(read(raw), raw.offset), Reading(0)).windows
    assert made[-1].modalities == tuple(Modality)
    return made[-1]


def endpoint_at(address: str) -> TritonEndpoint:
    return TritonEndpoint(address, TritonSettings(triton=address), PUBLISHED_SPEC, DEADLINE_S)


@pytest.fixture
async def endpoint(triton: TritonServer) -> AsyncIterator[TritonEndpoint]:
    async with endpoint_at(triton.address) as endpoint:
        yield endpoint


@dataclass
class Client:
    """A judge on servers under a steady load, and what it says."""

    failover: Failover
    judge: Judge
    lines: list[Any]
    judgements: list[Judgement] = field(default_factory=list)
    longest_s: float = 0.0

    def events(self) -> dict[str, int]:
        """How often each event of an endpoint or of all together was said.

        How long windows waited is the machine's business.
        """
        found = Counter(str(line["event"]) for line in self.lines)
        return {event: times for event, times in found.items() if event.startswith("triton")}

    async def until_said(self, event: str, times: int = 1) -> None:
        async with asyncio.timeout(LIMIT_S):
            while self.events().get(event, 0) < times:  # noqa: ASYNC110 - log lines have no event
                await asyncio.sleep(0.02)

    async def until_judged(self, more: int = 8) -> None:
        """Wait until so many windows more have been judged."""
        wanted = len(self.judgements) + more
        async with asyncio.timeout(LIMIT_S):
            while len(self.judgements) < wanted:  # noqa: ASYNC110 - nor have windows
                await asyncio.sleep(0.02)

    async def ask(self, window: AlignedWindow) -> None:
        """Judge a window; remember what came and how long it took."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        self.judgements.append(await self.judge.judge(window))
        self.longest_s = max(self.longest_s, loop.time() - started_s)

    @asynccontextmanager
    async def load(self, window: AlignedWindow) -> AsyncIterator[None]:
        """Ask four at a time; at the end all have been judged."""
        over = asyncio.Event()

        async def again_and_again() -> None:
            while not over.is_set():
                await self.ask(window)

        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(again_and_again())
            yield
            over.set()

    def verdicts(self) -> bool:
        """Whether every window got one."""
        return all(judgement.verdict is not None for judgement in self.judgements)


@asynccontextmanager
async def client_of(*servers: TritonServer, check_s: float = 60.0) -> AsyncIterator[Client]:
    async with AsyncExitStack() as clients:
        endpoints = [
            await clients.enter_async_context(endpoint_at(server.address)) for server in servers
        ]
        lines = clients.enter_context(capture_logs())
        failover = Failover(endpoints, FailoverTiming(check_s=check_s), SystemClock(), Metrics())
        await failover.identify()
        judge = Judge(failover, Patience(), SystemClock(), Metrics())
        watching = asyncio.create_task(judge.watch())
        yield Client(failover, judge, lines)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def kill_stub(server: TritonServer, model: str) -> None:
    """End the Python process behind a model, as a fault in it would."""
    own = psutil.Process(server.state.pid)
    stubs = [
        process
        for process in own.children(recursive=True)
        if process.status() != psutil.STATUS_ZOMBIE
        and any(f"/{model}/" in word for word in process.cmdline())
    ]
    assert len(stubs) == 1
    stubs[0].kill()


async def serve_digest(server: TritonServer, digest: str) -> str:
    """Let a server load an ensemble that says another digest; return what it said before."""
    page = server.repository / ENSEMBLE / "config.pbtxt"
    before = page.read_text().partition('"digest"')[2].split('"')[1]
    page.write_text(page.read_text().replace(before, digest))
    async with InferenceServerClient(server.address) as control:
        await control.load_model(ENSEMBLE)
    return before


@asynccontextmanager
async def another_digest(server: TritonServer) -> AsyncIterator[None]:
    ours = await serve_digest(server, "f" * 64)
    try:
        yield
    finally:
        await serve_digest(server, ours)


async def test_the_ensemble_says_who_it_is_and_answers(
    endpoint: TritonEndpoint, window: AlignedWindow
) -> None:
    identity = await endpoint.identify()
    verdict = await endpoint.score_window(window)
    assert identity.model.name == ENSEMBLE
    assert f"member_logits FP32 [{len(verdict.member_logits)}]" in identity.tensors
    assert verdict.anomaly_map.shape == (64, 64)


async def test_what_an_absent_modality_holds_does_not_matter(
    endpoint: TritonEndpoint, window: AlignedWindow
) -> None:
    await endpoint.identify()
    verdict = await endpoint.score_window(replace(window, embeddings=None))
    assert np.isfinite(verdict.logit)


async def test_a_window_of_another_shape_is_refused_for_good(
    endpoint: TritonEndpoint, window: AlignedWindow
) -> None:
    await endpoint.identify()
    nine = replace(window, embeddings=[*np.zeros((9, 64, 192), np.float16)])
    with pytest.raises(ContractViolation, match=r"scoring_rejected.*float16 \[10, 64, 192\]"):
        await endpoint.score_window(nine)


async def test_what_the_server_refuses_is_refused_for_good(
    endpoint: TritonEndpoint, window: AlignedWindow
) -> None:
    await endpoint.identify()
    patches, *others = FORM.inputs
    of_nine = replace(FORM, inputs=(replace(patches, shape=(9, 64, 192)), *others))
    endpoint._call = ScoringCall(ENSEMBLE, of_nine)
    nine = replace(window, embeddings=[*np.zeros((9, 64, 192), np.float16)])
    with pytest.raises(ContractViolation, match=r"scoring_rejected.*unexpected shape"):
        await endpoint.score_window(nine)


async def test_an_endpoint_that_is_away_is_worth_another_try() -> None:
    async with endpoint_at("127.0.0.1:1") as endpoint:
        with pytest.raises(EndpointError, match="Connection refused") as raised:
            await endpoint.identify()
    assert raised.value.code == "UNAVAILABLE"


async def test_one_of_two_killed_costs_no_retry_and_both_killed_no_verdict(
    pair: Pair, window: AlignedWindow
) -> None:
    first, second = pair
    async with client_of(first, second) as client:
        async with client.load(window):
            await client.until_judged()
            first.kill()
            await client.until_said("triton_endpoint_lost")
            await client.until_judged()
            # No window ever waited for a second round: the next endpoint was asked at once.
            assert client.judge.outage is None
            assert client.events() == {"triton_endpoint_lost": 1}
            assert client.longest_s < DEADLINE_S
            second.kill()
            await client.until_said("triton_unreachable")
            assert f"Triton at {second.address}" in str(client.judge.outage)
            first.start()
            second.start()
            await client.until_said("triton_endpoint_back", 2)
        assert client.verdicts()
        assert client.events() == {
            "triton_endpoint_lost": 2,
            "triton_unreachable": 1,
            "triton_endpoint_back": 2,
            "triton_recovered": 1,
        }


async def test_a_dead_stub_is_cured_each_time_and_no_verdict_is_lost(
    pair: Pair, window: AlignedWindow
) -> None:
    times = 2
    async with client_of(pair[0]) as client:
        async with client.load(window):
            for time in range(1, times + 1):
                await client.until_judged()
                kill_stub(pair[0], MEMBER)
                await client.until_said("triton_recovered", time)
        assert client.verdicts()
        assert client.events() == {
            "triton_stub_dead": times,
            "triton_unreachable": times,
            "triton_stub_cured": times,
            "triton_recovered": times,
        }
        dead = next(line for line in client.lines if line["event"] == "triton_stub_dead")
        assert (dead["endpoint"], dead["model"]) == (pair[0].address, MEMBER)


async def test_beside_another_endpoint_a_dead_stub_holds_up_nothing(
    pair: Pair, window: AlignedWindow
) -> None:
    async with client_of(*pair) as client:
        async with client.load(window):
            await client.until_judged()
            kill_stub(pair[1], f"{ENSEMBLE}_aggregate")
            await client.until_said("triton_stub_cured")
        assert client.verdicts()
        assert client.events() == {"triton_stub_dead": 1, "triton_stub_cured": 1}


async def test_another_ensemble_on_one_endpoint_is_refused_in_one_line(
    pair: Pair, window: AlignedWindow
) -> None:
    first, second = pair
    async with another_digest(second), client_of(first, second) as client:
        await client.ask(window)
        await client.ask(window)
        assert client.verdicts()
        assert client.events() == {"triton_endpoint_refused": 1}
        (line,) = [line for line in client.lines if line["event"] == "triton_endpoint_refused"]
        assert line["endpoint"] == second.address
        assert line["difference"].endswith(f", got {'f' * 64}")


async def test_a_reload_under_us_is_noticed_and_undone_it_is_taken_back(
    pair: Pair, window: AlignedWindow
) -> None:
    first, second = pair
    async with client_of(first, second, check_s=0.2) as client:
        async with another_digest(second):
            await client.until_said("triton_endpoint_refused")
            await client.ask(window)
            async with another_digest(first):
                await client.until_said("triton_endpoint_refused", 2)
                with pytest.raises(FatalError, match="a restart takes up what is served now"):
                    await client.ask(window)
        await client.until_said("triton_endpoint_back", 2)
        await client.ask(window)
        assert client.verdicts()


class ClosedTriton(TritonServer):
    """A server whose models nobody may load or unload."""

    def _command(self) -> ChildCommand:
        command = super()._command()
        others = [
            word for word in command.argv if not word.startswith(("--model-control", "--load"))
        ]
        return replace(command, argv=[*others, "--model-control-mode=none"])


async def test_a_server_that_lets_nobody_reload_is_recognised(tmp_path: Path) -> None:
    name, repository = f"{ENSEMBLE}_aggregate", tmp_path / "repository"
    shutil.copytree(TritonServer(tmp_path).repository / name, repository / name)
    with ClosedTriton(tmp_path / "triton", repository=repository) as server:
        async with endpoint_at(server.address) as endpoint:
            with pytest.raises(ReloadRefusedError, match="not allowed"):
                await endpoint.reload(name)
            with pytest.raises(TransientError, match="NOT_FOUND"):
                await endpoint.reload("nobody")


@pytest.fixture(scope="module")
def records() -> list[InputRecord]:
    return live(("works/melt/F1", "works/melt/F2"), 30.0)


def test_a_worker_goes_on_with_what_is_left_of_its_endpoints(
    works: Works, pair: Pair, records: list[InputRecord]
) -> None:
    first, second = pair
    addresses = f"{first.address},{second.address}"
    works.send(records)
    with works.worker(addresses, inflight_windows=4) as worker:
        works.published(5)
        kill_stub(first, MEMBER)
        works.published(15)
        second.kill()
        scores = works.published(30)
        said = "ok\nwarning: 1 of 2 scoring endpoints left"
        until(lambda: worker.ask("readyz").startswith(said), lambda: worker.ask("readyz"))
        until(lambda: worker.events()["triton_stub_cured"], worker.log.read_text)
        metrics = until(lambda: metrics_of(worker.ask("metrics")), "the metrics")
        events = worker.events()
        second.start()
        second.wait_ready()
    assert gaps(scores, PUBLISHED_SPEC.hop_ns) == []
    assert [score.reasons for score in scores if score.modalities and score.logit is None] == []
    assert events["triton_stub_dead"] == events["triton_stub_cured"] == 1
    assert events["triton_endpoint_lost"] == 1
    assert metrics[f'scoring_endpoint_up{{endpoint="{first.address}"}}'] == 1
    assert metrics[f'scoring_endpoint_up{{endpoint="{second.address}"}}'] == 0
    lost = f'scoring_failures_total{{code="UNAVAILABLE",endpoint="{second.address}"}}'
    assert metrics[lost] >= 1


def metrics_of(page: str) -> Mapping[str, float]:
    lines = [line.rpartition(" ") for line in page.splitlines() if not line.startswith("#")]
    return {name.removeprefix("meltwatch_"): float(value) for name, _, value in lines}
