"""Tests that are interrupted leave nothing running, however they are interrupted."""

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import until

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[3]
STARTS_ALL_SORTS = """
import subprocess, sys, time
from pathlib import Path
from meltwatch_local_cluster.servers.child import ChildCommand, ChildProcess
from tests.support.waiting import until
from tests.unit.local_cluster.processes import PARENT_OF_SLEEPER

def test_that_never_ends(tmp_path):
    argv = [sys.executable, "-c", PARENT_OF_SLEEPER, {mark!r}]
    subprocess.Popen(argv)
    subprocess.Popen(argv, start_new_session=True)
    child = ChildProcess(ChildCommand(argv, {{}}, tmp_path / "log", {mark!r}))
    time.sleep(60)
"""
STARTED = 6


def marked(mark: str) -> list[str]:
    """Give the programs that were started with a mark, without their guards."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = process.info["cmdline"] or []
        if mark in line and not any("tether.py" in part for part in line):
            found += [line] * (process.info["status"] != psutil.STATUS_ZOMBIE)
    return found


@pytest.mark.parametrize(
    ("number", "workers"),
    [(signal.SIGINT, ("-n", "1")), (signal.SIGTERM, ()), (signal.SIGKILL, ("-n", "1"))],
)
def test_nothing_outlives_tests_that_are_interrupted(
    tmp_path: Path, number: signal.Signals, workers: tuple[str, ...]
) -> None:
    mark = secrets.token_hex(8)
    file = tmp_path / "test_started.py"
    file.write_text(STARTS_ALL_SORTS.format(mark=mark))
    # Whoever runs these tests in the background has them ignore SIGINT, and so their children.
    python = ["env", "--default-signal=INT", sys.executable]
    options = ["-p", "tests.support.survivors", "-p", "no:cacheprovider", "-c", os.devnull]
    options += ["-p", "xdist"]  # no other plugin: they would cost more than what is tried here
    with subprocess.Popen(
        [*python, "-m", "pytest", *options, "--rootdir", tmp_path, *workers, file],
        cwd=ROOT,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as tests:
        until(lambda: len(marked(mark)) == STARTED, "all is started", limit_s=60)
        if number == signal.SIGINT:
            os.killpg(tests.pid, number)  # as a terminal does
        else:
            tests.send_signal(number)
        tests.wait(60)
    until(lambda: not marked(mark), "all is gone", limit_s=30)
