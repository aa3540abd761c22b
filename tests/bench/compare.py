"""The same rows on another revision, in a checkout and an environment of its own."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.bench.figure import Figure, number
from tests.bench.ledger import Record
from tests.bench.machine import commit
from tests.support.source import ROOT

BENCH: Final = Path("tests") / "bench"


def compared(ours: Record, revision: str, rows: Sequence[str]) -> str:
    """Measure another revision and return a table of both.

    The rows are those of this checkout, so that both are measured alike. A row that the other
    revision cannot run is left out of its column.
    """
    with _checkout(revision) as folder:
        kept = folder / "bench.json"
        command = [sys.executable.replace(str(ROOT), str(folder)), "-m", "tests.bench"]
        subprocess.run([*command, *(rows or [""]), "--json", kept], cwd=folder, check=True)
        other = Record.read(kept)
    lines = [
        _line(each, other.figures.get(name), other.failed.get(name, ""))
        for name, each in ours.figures.items()
    ]
    names = f"{commit(ROOT)} | {revision} | ours ÷ {revision}"
    head = f"| row | unit | {names} | the same, each by its own baseline |"
    return "\n".join([head, "|---|---|---|---|---|---|", *lines])


def _line(ours: Figure, other: Figure | None, why: str) -> str:
    if other is None:
        return f"| {ours.name} | {ours.unit} | {number(ours.value)} | not measured {why[:80]} | | |"
    values = f"{number(ours.value)} | {number(other.value)}"
    ratios = f"{_ratio(ours.value, other.value)} | {_ratio(ours.first_ratio, other.first_ratio)}"
    return f"| {ours.name} | {ours.unit} | {values} | {ratios} |"


def _ratio(ours: float | None, other: float | None) -> str:
    """A busy machine slows a row and its baseline alike: by their ratio it falls out."""
    return number(ours / other) if ours and other else ""


@contextmanager
def _checkout(revision: str) -> Iterator[Path]:
    """A worktree with its own environment and this benchmark."""
    with tempfile.TemporaryDirectory(prefix="meltwatch-compare-") as parent:
        folder = Path(parent) / "checkout"
        _run(["git", "worktree", "add", "--detach", str(folder), revision], ROOT)
        try:
            (folder / ".tools").symlink_to(ROOT / ".tools")
            shutil.rmtree(folder / BENCH, ignore_errors=True)
            shutil.copytree(ROOT / BENCH, folder / BENCH)
            print(f"compare: installing {revision}", flush=True)
            _run([str(ROOT / ".tools" / "bin" / "uv"), "sync", "--frozen", "--inexact"], folder)
            yield folder
        finally:
            _run(["git", "worktree", "remove", "--force", str(folder)], ROOT)


def _run(command: Sequence[str], folder: Path) -> None:
    # A virtual environment of the caller must not be taken for the checkout's own.
    done = subprocess.run(
        ["env", "-u", "VIRTUAL_ENV", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-1000:]}")
