"""Shared memory regions: what Triton's models hold, and leave behind when they are killed."""

import os
import re
import secrets
from pathlib import Path

import psutil

_FOLDER = Path("/dev/shm")  # noqa: S108 - the kernel's folder of regions, no temporary file of ours
_OURS = re.compile(r"meltwatch_(?P<launcher>[0-9]+)_[0-9a-f]{8}_")


def new_prefix() -> str:
    """Make the prefix of the names of one server's regions: ours, and whose they are."""
    return f"meltwatch_{os.getpid()}_{secrets.token_hex(4)}_"


def regions(prefix: str) -> list[Path]:
    """Find the regions of one server.

    Parameters
    ----------
    prefix
        What their names begin with; no region belongs to the empty prefix.
    """
    return sorted(_FOLDER.glob(f"{prefix}*")) if prefix else []


def remove_regions(prefix: str) -> None:
    """Remove the regions of one server that has ended.

    Parameters
    ----------
    prefix
        What their names begin with.
    """
    for region in regions(prefix):
        region.unlink(missing_ok=True)


def remove_orphans() -> None:
    """Remove the regions of servers whose launcher was killed before it could."""
    for region in regions("meltwatch_"):
        made_by = _OURS.match(region.name)
        if made_by and not psutil.pid_exists(int(made_by["launcher"])):
            region.unlink(missing_ok=True)
