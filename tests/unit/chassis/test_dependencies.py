"""What is away is said once, in one line, until it is back."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from meltwatch_chassis import dependencies as module
from meltwatch_chassis.commit_age import CommitAge
from meltwatch_chassis.dependencies import Dependencies, DependencyWatch, found_by
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.live import HISTORY_NS, is_live
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.testing import ManualClock
from structlog.testing import capture_logs

S = 1_000_000_000


class Bench:
    def __init__(self) -> None:
        self.clock, self.metrics = ManualClock(S), Metrics()
        self.board = Dependencies(self.metrics, self.clock)

    def is_up(self, dependency: str) -> bool:
        labels = {"dependency": dependency}
        return self.metrics.registry.get_sample_value("meltwatch_dependency_up", labels) == 1


def test_a_change_is_one_log_line_whoever_notices_and_how_often() -> None:
    bench = Bench()
    with capture_logs() as logs:
        for source in ("probe", "delivery", "probe", "probe"):
            bench.board.tell("kafka", source, f"{source} has no answer")
        bench.clock.advance(7 * S)
        bench.board.tell("kafka", "probe", None)
        assert not bench.is_up("kafka")
        bench.board.tell("kafka", "delivery", None)
        bench.board.tell("kafka", "delivery", None)
    assert [line["event"] for line in logs] == ["dependency_lost", "dependency_recovered"]
    assert logs[0]["error"] == "probe has no answer"
    assert logs[1]["after_s"] == 7.0
    assert bench.is_up("kafka")


def test_what_was_not_asked_yet_is_missing_and_no_news() -> None:
    bench = Bench()
    with capture_logs() as logs:
        bench.board.expect("redis")
        assert bench.board.problem() == "Redis: no answer yet"
        assert not bench.is_up("redis")
        bench.board.tell("redis", "delivery", None)
        assert not bench.is_up("redis")
        bench.board.tell("redis", "probe", None)
    assert (bench.board.problem(), logs) == (None, [])
    assert bench.is_up("redis")


def test_the_line_names_each_that_is_away_and_is_one_line() -> None:
    bench = Bench()
    bench.board.tell("kafka", "probe", "no\nanswer \x1b[2J" + "x" * 9_000)
    bench.board.tell("redis", "probe", "refused")
    said = bench.board.problem() or ""
    assert said.startswith("Kafka: no answer \\x1b[2Jx")
    assert said.endswith("; Redis: refused")
    assert len(said) < 600


def test_nobody_stands_still_for_longer_than_all_have_been_there() -> None:
    bench = Bench()
    began_ns = bench.board.well_since_ns()
    bench.board.tell("kafka", "probe", "no answer")
    bench.clock.advance(100 * S)
    assert bench.board.well_since_ns() == bench.clock.monotonic_ns()
    bench.board.tell("kafka", "probe", None)
    bench.clock.advance(5 * S)
    assert bench.board.well_since_ns() == began_ns + 100 * S


async def raises(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("probe", "line"),
    [
        (lambda: asyncio.sleep(0), None),
        (lambda: raises(TransientError("refused")), "refused"),
        (lambda: raises(ZeroDivisionError("odd")), "ZeroDivisionError('odd')"),
        (lambda: asyncio.sleep(60), "no answer within 0 s"),
    ],
)
async def test_a_probe_has_an_outcome_whatever_happens(
    monkeypatch: pytest.MonkeyPatch, probe: Callable[[], object], line: str | None
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.05)
    assert await found_by(probe) == line  # type: ignore[arg-type]  # any awaitable will do


def test_each_is_asked_again_and_again_and_one_that_hangs_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PAUSE_S", 0.01)
    bench, asked = Bench(), []

    async def answers() -> None:
        asked.append(True)
        if len(asked) >= 5:
            done.set()

    done = threading.Event()
    probes = {"kafka": answers, "redis": lambda: asyncio.sleep(60)}
    with DependencyWatch(bench.board, probes):
        assert done.wait(30)
        assert bench.board.problem() == "Redis: no answer yet"


def test_a_probe_that_swallows_its_cancellation_keeps_no_process_alive() -> None:
    asked = threading.Event()

    async def swallows() -> None:
        asked.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    with DependencyWatch(Bench().board, {"kafka": swallows}):
        assert asked.wait(30)


def test_a_commit_that_waits_grows_older_until_it_is_done() -> None:
    bench = Bench()
    age = CommitAge(bench.metrics.commit_age, "any", bench.clock)

    def shown() -> float | None:
        labels = {"service": "any"}
        return bench.metrics.registry.get_sample_value("meltwatch_commit_age_seconds", labels)

    assert shown() == 0
    age.note_waiting()
    bench.clock.advance(2 * S)
    age.note_waiting()
    bench.clock.advance(1 * S)
    assert shown() == 3
    age.note_committed()
    assert shown() == 0


@pytest.mark.parametrize(
    ("event_ns", "ingest_ns", "began_ns", "live"),
    [
        (0, 0, 0, True),
        (0, HISTORY_NS, 0, True),
        (0, HISTORY_NS + 1, 0, False),
        (0, 0, HISTORY_NS, True),
        (0, 0, HISTORY_NS + 1, False),
        (HISTORY_NS, 0, 0, True),
    ],
)
def test_live_is_what_was_sent_soon_and_not_long_before_we_began(
    event_ns: int, ingest_ns: int, began_ns: int, live: bool
) -> None:
    assert is_live(event_ns, ingest_ns, began_ns) is live
