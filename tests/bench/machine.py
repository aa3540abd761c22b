"""What the figures were measured on: they mean little without it."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.support.source import ROOT

LIBRARIES: Final = (
    "numpy",
    "msgpack",
    "faust-streaming",
    "aiokafka",
    "kafka-python",
    "tritonclient",
    "pydantic",
)


def setting() -> dict[str, str]:
    """Return machine and versions by what they are."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }


def moment() -> str:
    """Return when it is, at which commit we are, and how busy the machine is."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{now} at {commit(ROOT)}, {os.getloadavg()[0]:.0f} processes on {os.cpu_count()} cores"


def commit(folder: Path) -> str:
    """Return the commit of a checkout, and whether it was changed since."""
    said = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=9"]
    return subprocess.run(said, capture_output=True, text=True, check=True).stdout.strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "?")


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
