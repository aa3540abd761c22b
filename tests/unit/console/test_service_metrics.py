"""Whatever answers in place of a service's metrics is said with a reason, and costs little."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from meltwatch_chassis.clock import SystemClock
from meltwatch_console.adapters import service_metrics
from meltwatch_console.adapters.service_metrics import MetricsReader, ReadingState, ServiceReading
from meltwatch_console.domain.metrics_sources import metrics_sources_of
from meltwatch_console.domain.service_figures import MetricSample, figures_of, rates

HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"
GOOD = b"""# HELP meltwatch_late_total Late records.
# TYPE meltwatch_late_total counter
meltwatch_late_total{modality="video"} 7.0
meltwatch_dead_letters_total{error="contract_violation"} 2.0
meltwatch_scoring_endpoint_up{endpoint="10.0.0.9:8001"} 0.0
meltwatch_records_total{service="s",topic="embeddings",outcome="read"} 100.0
meltwatch_records_total{service="s",topic="embeddings",outcome="refused"} 20.0
meltwatch_event_to_score_seconds_bucket{le="1.0"} 50.0
meltwatch_event_to_score_seconds_bucket{le="2.0"} 100.0
meltwatch_event_to_score_seconds_bucket{le="+Inf"} 100.0
meltwatch_sync_skew_seconds{furnace="a/b/F-1"} -0.25
process_resident_memory_bytes 5.0e+07
meltwatch_leader NaN
something_else{of="another"} 1.0
"""
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await answer(writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def saying(content: bytes) -> Answer:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()

    return say


async def read(address: str) -> ServiceReading:
    (found,) = await MetricsReader({"worker": address}, SystemClock()).readings()
    return found


async def test_what_a_service_counts_is_read():
    async with serving(saying(HEAD + GOOD)) as address:
        found = await read(address)
    assert (found.state, found.reason) == (ReadingState.OK, "")
    figures = found.figures
    assert figures.sums["late"] == {"video": 7.0}
    assert figures.sums["dead_letters"] == {"contract_violation": 2.0}
    assert figures.sums["endpoints"] == {"10.0.0.9:8001": 0.0}
    assert figures.sums["records"] == {"embeddings": 120.0}
    assert figures.event_to_score_s == (1.0, pytest.approx(1.9))
    assert figures.skew_s == {"a/b/F-1": -0.25}
    assert figures.sums["memory_bytes"] == {"": 5.0e7}
    assert "leader" not in figures.sums, "what is no number is not shown as one"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "expected HTTP 200, got ''"),
        (b"HTTP/1.0 503 Away\r\n\r\n", "expected HTTP 200, got 'HTTP/1.0 503 Away'"),
        (b"SSH-2.0-OpenSSH\r\n", "expected HTTP 200"),
        (HEAD + b"meltwatch_late_total{modality=\n", "expected the text of Prometheus"),
        (HEAD + b'meltwatch_late_total{modality="x"} many\n', "expected the text of Prometheus"),
        (HEAD + b"\xff\xfe", "expected the text of Prometheus"),
        (HEAD + b"meltwatch_leader 1\n" * 50_001, "expected at most 50000 lines"),
        (HEAD + b"x" * (service_metrics.MOST_BYTES + 1), "expected at most 8388608 bytes"),
    ],
    ids=["nothing", "away", "another", "cut", "words", "bytes", "lines", "large"],
)  # fmt: skip
async def test_what_is_no_text_of_metrics_is_refused_with_a_reason(content: bytes, reason: str):
    async with serving(saying(content)) as address:
        found = await read(address)
    assert found.state is ReadingState.REFUSED
    assert reason in found.reason
    assert len(found.reason) <= 200
    assert found.reason.isprintable()


async def test_who_trickles_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service_metrics, "PATIENCE_S", 0.2)

    async def trickle(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving(trickle) as address:
        found = await read(address)
    assert (found.state, found.reason) == (
        ReadingState.AWAY, "expected an answer within 0.2 s, got none",
    )  # fmt: skip


async def test_a_service_that_is_away_is_said_and_the_others_are_shown():
    async with serving(saying(HEAD + GOOD)) as address:
        pass
    async with serving(saying(HEAD + GOOD)) as here:
        asked = {"gone": address, "here": here, "odd": "h:99999", "empty": "a..b:80"}
        asked |= {"long": f"{'x' * 64}.b:80"}
        gone, found, *odd = await MetricsReader(asked, SystemClock()).readings()
    assert gone.state is ReadingState.AWAY
    assert gone.reason
    assert found.state is ReadingState.OK
    assert ReadingState.OK not in {each.state for each in odd}


async def test_several_who_look_at_once_ask_once():
    asked = 0

    async def count(writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await saying(HEAD + GOOD)(writer)

    async with serving(count) as address:
        reader = MetricsReader({"worker": address}, SystemClock())
        await asyncio.gather(*(reader.readings() for _ in range(5)))
    assert asked == 1


def test_a_rate_is_none_after_a_new_start():
    assert rates({"a": 10.0}, {"a": 30.0, "b": 5.0}, 10.0) == {"a": 2.0, "b": 0.5}
    assert rates({"a": 10.0}, {"a": 3.0}, 10.0) == {}
    assert rates({"a": 10.0}, {}, 10.0) == {}
    assert rates({}, {"a": 3.0}, 0.0) == {}


def test_quantiles_know_no_more_than_the_buckets():
    def at(*buckets: tuple[str, float]) -> tuple[float, float] | None:
        name = "meltwatch_event_to_score_seconds_bucket"
        return figures_of(MetricSample(name, {"le": le}, n) for le, n in buckets).event_to_score_s

    assert at() is None
    assert at(("1", 0.0), ("+Inf", 0.0)) is None
    assert at(("1", 0.0), ("+Inf", 10.0)) == (1.0, 1.0)
    assert at(("1", math.nan), ("+Inf", math.nan)) is None
    assert at(("many", 3.0)) is None


def test_too_many_labels_are_left_out():
    samples = (
        MetricSample("meltwatch_late_total", {"modality": str(n)}, 1.0) for n in range(5_000)
    )
    assert len(figures_of(samples).sums["late"]) == 2_000


@pytest.mark.parametrize(
    "text", ["x", "a=b", "a=b:x", "=h:1", "a=h:1,a=h:2", "a=http://h:1/", "a b=h:1", "a=h:123456"]
)
def test_addresses_that_are_none_are_refused(text: str):
    with pytest.raises(ValueError, match="expected"):
        metrics_sources_of(text)


def test_addresses_have_names():
    assert metrics_sources_of(" a=h:1, b=[::1]:2 ,") == {"a": "h:1", "b": "[::1]:2"}
    with pytest.raises(ValueError, match="at most 100"):
        metrics_sources_of(",".join(f"a{n}=h:1" for n in range(101)))
