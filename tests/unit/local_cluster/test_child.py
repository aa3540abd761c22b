import os
import signal
import subprocess
import sys

import psutil
import pytest
from meltwatch_local_cluster.servers.child import ChildCommand, ChildProcess

from tests.support.waiting import until
from tests.unit.local_cluster.processes import (
    PARENT_OF_SLEEPER,
    SLEEPER,
    is_gone,
    python_child,
)

pytestmark = pytest.mark.programs

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('deaf', flush=True); time.sleep(60)"
)
LAUNCHER = """
import sys
from pathlib import Path
from tests.unit.local_cluster.processes import PARENT_OF_SLEEPER, python_child
child = python_child(PARENT_OF_SLEEPER, Path(sys.argv[1]))
print(child.pid, flush=True)
sys.stdin.read()
"""


def guards(child):
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if line[-1:] == [str(child.pid)] and "guard" in line]


def said(log):
    return log.exists() and bool(log.read_text().strip())


def test_output_and_errors_go_to_the_log_and_the_exit_code_is_given(tmp_path):
    log = tmp_path / "logs" / "child.log"
    child = python_child(
        "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)", log
    )
    until(lambda: child.exit_code() is not None, "the child ends")
    assert child.exit_code() == 7
    assert sorted(log.read_text().split()) == ["err", "out"]


def test_a_child_has_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(tmp_path):
    child = python_child(SLEEPER, tmp_path / "log")
    try:
        assert os.getsid(child.pid) == child.pid != os.getsid(0)
    finally:
        child.kill()


def test_a_child_that_ends_when_asked_gives_the_code_of_sigterm(tmp_path):
    child = python_child(SLEEPER, tmp_path / "log")
    assert child.stop(grace_s=10) == -signal.SIGTERM


def test_a_child_that_does_not_listen_is_killed_after_the_grace_period(tmp_path):
    child = python_child(STUBBORN, tmp_path / "log")
    until(lambda: said(tmp_path / "log"), "the child has set its signals")
    assert child.stop(grace_s=0.2) == -signal.SIGKILL


def test_a_frozen_child_can_be_stopped_without_force(tmp_path):
    child = python_child(SLEEPER, tmp_path / "log")
    child.signal_group(signal.SIGSTOP)
    until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED, "frozen")
    assert child.stop(grace_s=10) == -signal.SIGTERM


def test_stopping_ends_the_grandchildren_too(tmp_path):
    child = python_child(PARENT_OF_SLEEPER, tmp_path / "log")
    until(lambda: said(tmp_path / "log"), "the grandchild has started")
    grandchild = int((tmp_path / "log").read_text())
    child.stop(grace_s=10)
    until(lambda: is_gone(grandchild), "the grandchild is gone")


def test_stopping_twice_is_harmless(tmp_path):
    child = python_child(SLEEPER, tmp_path / "log")
    assert child.stop(grace_s=10) == child.stop(grace_s=10)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_child_and_what_it_started_die_with_a_launcher_whatever_kills_it(tmp_path, number):
    log = tmp_path / "log"
    command = [sys.executable, "-c", LAUNCHER, str(log)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as launcher:
        assert launcher.stdout is not None
        child = int(launcher.stdout.readline())
        until(lambda: said(log), "the grandchild has started")
        grandchild = int(log.read_text())
        launcher.send_signal(number)
    until(lambda: is_gone(child) and is_gone(grandchild), "both are gone")


def test_a_guard_goes_when_there_is_nothing_to_guard(tmp_path):
    child = python_child(PARENT_OF_SLEEPER, tmp_path / "log")
    until(lambda: guards(child), "the guard is there")
    child.stop(grace_s=10)
    until(lambda: not guards(child), "the guard has left")


def test_the_last_words_are_the_last_line_that_reads_like_an_error(tmp_path):
    log = tmp_path / "log"
    log.write_text("ERROR of an earlier process\n")
    child = python_child("print('Error: no such model\\n+----+\\nbye\\n+----+')", log)
    until(lambda: child.exit_code() is not None, "the child ends")
    assert child.last_words() == "Error: no such model"


def test_without_an_error_the_last_words_are_the_last_line_with_words(tmp_path):
    child = python_child("print('hello\\nbye\\n-----')", tmp_path / "log")
    until(lambda: child.exit_code() is not None, "the child ends")
    assert child.last_words() == "bye"


def test_a_telling_word_goes_before_errors_and_a_tables_frame_is_left_out(tmp_path):
    words = "print('| a | UNAVAILABLE: no   such file |\\nerror: failed to load all models')"
    argv = [sys.executable, "-c", words]
    child = ChildProcess(ChildCommand(argv, {}, tmp_path / "log", "", telling="UNAVAILABLE: "))
    until(lambda: child.exit_code() is not None, "the child ends")
    assert child.last_words() == "a | UNAVAILABLE: no such file"


def test_a_silent_child_has_no_last_words(tmp_path):
    child = python_child("", tmp_path / "log")
    until(lambda: child.exit_code() is not None, "the child ends")
    assert child.last_words() == ""
