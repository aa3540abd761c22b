"""Logs of a run that never fill a disk: a long one begins anew, and few old ones are kept."""

import shutil
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 16 * 1024 * 1024
KEPT: Final = 2
"""Earlier files of a log beside it: ``kafka.log.1`` is the newest of them."""


def rotate_logs(folder: Path, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> None:
    """Begin each log anew that has grown over a bound; a full disk costs the old ones only.

    Who writes to a log goes on in the same file, which must have been opened for appending: it is
    copied and emptied, not renamed. A line that is written between both is lost.
    """
    for log in folder.glob("*.log"):
        with suppress(OSError):
            if log.stat().st_size > max_bytes:
                _begin_anew(log, kept)


def _begin_anew(log: Path, kept: int) -> None:
    older = [log.with_name(f"{log.name}.{age}") for age in range(1, kept + 1)]
    for newer, old in reversed(list(pairwise(older))):
        if newer.exists():
            newer.replace(old)
    try:
        shutil.copyfile(log, older[0])
    except OSError:
        older[0].unlink(missing_ok=True)
    with log.open("r+b") as file:
        file.truncate()
