"""The release before this one, set up beside it from the repository's own history."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.support.source import ROOT

BEFORE: Final = "8d1b23ad"
"""Stands for the release before this one: no release has a tag yet.

It is the last revision that published ``score/1.0``. What has changed since is what an upgrade
crosses: a field of scores, prepared set-points, how records come from Kafka, what a manager commits
at once. Once a release has a tag, name that one here.
"""
NO_HISTORY: Final = f"needs revision {BEFORE} of the release before: run `git fetch --unshallow`"
_LIMIT_S: Final = 900.0


def lack() -> str | None:
    """One line on what is missing to set the release before up, or None."""
    return None if is_known() else NO_HISTORY


def is_known(revision: str = BEFORE) -> bool:
    """Tell whether this checkout holds a revision: one that is shallow, or no clone, does not."""
    if shutil.which("git") is None:
        return False
    asked = ["git", "cat-file", "-e", f"{revision}^{{commit}}"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, timeout=60, check=False)
    return done.returncode == 0


def set_up(folder: Path, revision: str = BEFORE) -> Path:
    """Set up a revision in a folder, from its own lock; return its interpreter."""
    assert is_known(revision), NO_HISTORY
    folder.mkdir(parents=True)
    archive = folder / "revision.tar"
    _run(["git", "archive", f"--output={archive}", revision], ROOT)
    _run(["tar", "--extract", f"--file={archive}"], folder)
    archive.unlink()
    uv = shutil.which("uv", path=f"{ROOT / '.tools/bin'}{os.pathsep}{os.environ['PATH']}")
    assert uv is not None, "needs uv, which `make setup` installs into .tools"
    _run([uv, "sync", "--frozen", "--no-dev", "--quiet"], folder)
    return folder / ".venv/bin/python"


def _run(command: list[str], folder: Path) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=folder, env=own, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
