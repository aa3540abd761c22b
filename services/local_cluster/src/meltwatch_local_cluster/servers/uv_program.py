"""The ``uv`` that sets up Triton's Python."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from meltwatch_chassis.errors import DependencyUnreachable


def uv_command(checkout: Path) -> list[str]:
    """Find uv: the one that runs us, on PATH, in our Python, or where the Makefile puts it.

    Parameters
    ----------
    checkout
        Root of the repository, whose ``.tools`` the Makefile fills.

    Returns
    -------
    The beginning of a command line.

    Raises
    ------
    DependencyUnreachable
        If there is none.
    """
    if program := os.environ.get("UV") or shutil.which("uv"):
        return [program]
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    own = checkout / ".tools" / "bin" / "uv"
    if own.exists():
        return [str(own)]
    raise DependencyUnreachable(
        f"Triton: expected uv in $UV, on PATH, as a module of {sys.executable} or at {own}, "
        "found none; run 'make run', or 'pip install uv'"
    )
