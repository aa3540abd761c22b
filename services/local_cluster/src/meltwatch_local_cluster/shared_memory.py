"""Shared memory regions: what Triton's models hold, and leave behind when they are killed."""

from pathlib import Path

_FOLDER = Path("/dev/shm")  # noqa: S108 - the kernel's folder of regions, no temporary file of ours


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
