import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_chassis.lifecycle import run_async, run_sync
from meltwatch_chassis.settings import ServiceSettings


def in_days(_: ServiceSettings) -> float:
    """Limit of what ends by itself: it would end pytest."""
    return 1e6


@pytest.fixture(autouse=True)
def restore_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["service"])
    for name in os.environ:
        if name.startswith("MELTWATCH_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_threaded_service_with_exit_code_0(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    def main(_: ServiceSettings, stop: threading.Event) -> None:
        os.kill(os.getpid(), number)
        assert stop.wait(5)

    try:
        assert run_sync("service", ServiceSettings, main, in_days) == 0
    finally:
        signal.signal(number, before)


def test_a_signal_that_comes_while_the_service_looks_at_its_stop_stops_it_all_the_same() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def main(_: ServiceSettings, stop: threading.Event) -> None:
        # What ``stop.wait`` does now and again: signals are handled between any two steps of it.
        with stop._cond:
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)

    try:
        assert run_sync("service", ServiceSettings, main, in_days) == 0
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_signal_stops_an_asyncio_service_with_exit_code_0() -> None:
    async def main(_: ServiceSettings, stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), 5)

    assert run_async("service", ServiceSettings, main, in_days) == 0


ASYNC = """
async def main(settings, stop):
    threading.Thread(target=time.sleep, args=(60,)).start()
    os.kill(os.getpid(), signal.SIGTERM)
    await stop.wait()
    await asyncio.sleep(60)
"""
THREADED = """
def main(settings, stop):
    os.kill(os.getpid(), signal.SIGTERM)
    stop.wait()
    time.sleep(60)
"""


@pytest.mark.programs
@pytest.mark.parametrize(("run", "main"), [("run_async", ASYNC), ("run_sync", THREADED)])
def test_a_service_that_cannot_end_is_left_after_its_limit(run: str, main: str) -> None:
    program = f"""
import asyncio, os, signal, sys, threading, time
from meltwatch_chassis.lifecycle import {run}
from meltwatch_chassis.settings import ServiceSettings
{main}
sys.exit({run}("service", ServiceSettings, main, lambda _: 0.3))
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 0
    assert "stop_cut_short" in ended.stderr


def test_a_fatal_error_is_one_line_and_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    async def main(_: ServiceSettings, __: asyncio.Event) -> None:
        raise DependencyUnreachable("Kafka: expected a broker\nat a:1, got nothing")

    assert run_async("service", ServiceSettings, main, in_days) == 3
    assert capsys.readouterr().err.splitlines()[-1] == (
        "service: Kafka: expected a broker at a:1, got nothing"
    )


def test_a_wrong_variable_is_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MELTWATCH_LOG_LEVEL", "loud")

    assert run_sync("service", ServiceSettings, lambda *_: None, in_days) == 2
    assert capsys.readouterr().err.startswith("service: MELTWATCH_LOG_LEVEL: ")


def test_help_lists_the_variables_and_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["service", "--help"])

    def main(_: ServiceSettings, __: threading.Event) -> None:
        raise AssertionError("started")

    assert run_sync("service", ServiceSettings, main, in_days) == 0
    assert "MELTWATCH_TOPIC_PREFIX=meltwatch" in capsys.readouterr().out
