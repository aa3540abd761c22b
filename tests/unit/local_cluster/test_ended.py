"""A process of a test that does not end says where it stands."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import ended

pytestmark = pytest.mark.programs


def test_one_that_hangs_says_where(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = "import time\ndef stands_here():\n    time.sleep(600)\nstands_here()"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", program], stderr=output)
    with pytest.raises(AssertionError, match="stands_here"):
        ended(process, log, 1.0)


def test_one_that_ends_gives_its_code(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    assert ended(process, tmp_path / "log") == 3
