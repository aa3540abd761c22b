"""Small real processes for the tests of this folder."""

import os
import sys
from pathlib import Path

import psutil
from meltwatch_local_cluster.servers.child import ChildCommand, ChildProcess

from tests.support.waiting import until

SLEEPER = "import time; time.sleep(60)"
PARENT_OF_SLEEPER = (
    "import subprocess, sys, time;"
    f"child = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}, *sys.argv[1:]]);"
    "print(child.pid, flush=True); time.sleep(60)"
)


def python_child(program: str, log: Path, mark: str = "no-mark") -> ChildProcess:
    """Start a Python program whose command line ends with a mark, and wait until it is itself."""
    argv = [sys.executable, "-c", program, mark]
    child = ChildProcess(ChildCommand(argv, dict(os.environ), log, mark))
    until(lambda: child.exit_code() is not None or _is_itself(child), "the tether is gone")
    return child


def _is_itself(child: ChildProcess) -> bool:
    try:
        line = psutil.Process(child.pid).cmdline()
    except psutil.ZombieProcess:
        return False  # it has ended meanwhile, and has an exit code
    return bool(line) and not any("tether.py" in part for part in line)


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended (a zombie has)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
