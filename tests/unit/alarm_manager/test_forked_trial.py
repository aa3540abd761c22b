"""What ends a copy of the process, and what does not."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from meltwatch_alarm_manager.adapters import forked_trial
from meltwatch_alarm_manager.adapters.forked_trial import outlives


def raise_an_error() -> None:
    raise ValueError("a dead letter is made of it")


def end_by_an_interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("attempt", [lambda: None, raise_an_error])
def test_what_returns_or_can_be_caught_is_outlived(attempt) -> None:
    assert outlives(attempt) is True


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        lambda: os._exit(3),
        end_by_an_interrupt,
    ],
)
def test_what_ends_the_process_is_not(attempt) -> None:
    assert outlives(attempt) is False


@pytest.mark.programs
def test_nothing_changes_here_and_nothing_is_said() -> None:
    # In a process of its own: where gRPC was used before, it has a word for each fork.
    program = """
import os
from meltwatch_alarm_manager.adapters.forked_trial import outlives

def end_by_an_interrupt():
    raise KeyboardInterrupt

seen = []
spoken = outlives(lambda: (seen.append("there"), os.write(1, b"there"), os.write(2, b"there")))
print(spoken, outlives(lambda: os._exit(3)), outlives(end_by_an_interrupt), seen)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.stderr) == ("True False False []\n", "")


def test_what_waits_for_ever_proves_nothing(monkeypatch) -> None:
    """As for a lock that another thread held when the copy was made."""
    monkeypatch.setattr(forked_trial, "_LONGEST_S", 0.2)
    lock, held = threading.Lock(), threading.Event()
    leave = threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            leave.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    try:
        assert outlives(lock.acquire) is True
    finally:
        leave.set()
        holder.join()


def test_who_cannot_be_copied_is_trusted(monkeypatch) -> None:
    def refuse() -> int:
        raise OSError("no memory")

    monkeypatch.setattr(os, "fork", refuse)
    assert outlives(time.monotonic) is True
