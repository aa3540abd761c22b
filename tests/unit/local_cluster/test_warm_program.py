"""A program that is begun warm looks and ends as one that is begun cold."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.warm_program import WarmProgram

pytestmark = pytest.mark.programs


@pytest.fixture(scope="module")
def warm() -> Iterator[WarmProgram]:
    with WarmProgram("import json, sys\nsys.learned = 'before'") as made:
        yield made


def test_it_has_what_was_imported_its_own_environment_and_its_own_log(
    warm: WarmProgram, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text("earlier\n")
    program = "import os, sys; print(sys.learned, dict(os.environ), file=sys.stderr)"
    fork = warm.start(program, {"OWN": "1"}, log)
    assert fork.wait(60) == 0
    assert log.read_text() == "earlier\nbefore {'OWN': '1'}\n"


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('in words')", 1, "in words\n"),
        ("raise ValueError('a fault')", 1, "ValueError: a fault\n"),
        ("import atexit; atexit.register(print, 'at the end')", 0, "at the end\n"),
        ("import os; os._exit(7)", 7, ""),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL, ""),
    ],
)
def test_it_ends_as_python_does(
    warm: WarmProgram, tmp_path: Path, program: str, code: int, said: str
) -> None:
    fork = warm.start(program, os.environ, tmp_path / "log")
    assert fork.wait(60) == fork.returncode == fork.poll() == code
    assert (tmp_path / "log").read_text().endswith(said)


def test_it_is_stopped_and_ended_by_signals_and_its_neighbour_goes_on(
    warm: WarmProgram, tmp_path: Path
) -> None:
    one, other = (
        warm.start("import time; time.sleep(600)", {}, tmp_path / name) for name in ("1", "2")
    )
    one.send_signal(signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        one.wait(0.2)
    one.send_signal(signal.SIGKILL)
    assert one.wait(60) == -signal.SIGKILL
    one.send_signal(signal.SIGKILL)  # nobody is there any more
    assert other.poll() is None
    other.send_signal(signal.SIGTERM)
    assert other.wait(60) == -signal.SIGTERM
