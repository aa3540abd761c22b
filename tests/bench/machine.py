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
    """Return machine, load, versions and commit by what they are."""
    return {
        "commit": commit(ROOT),
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB",
        "load at the beginning": f"{os.getloadavg()[0]:.1f} processes wanted a core",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }


def commit(folder: Path) -> str:
    """Return the commit of a checkout, and whether it was changed since."""
    said = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=9"]
    return subprocess.run(said, capture_output=True, text=True, check=True).stdout.strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "?")


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
