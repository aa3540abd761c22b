"""The product as somebody meets it who has the contract and nothing else."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.product import RunningProduct

FOLDER = Path(__file__).parent
SCRIPT = FOLDER / "stranger.py"
OWN = {path.stem for path in FOLDER.glob("*.py")}
ALLOWED = {"kafka", "msgpack", "numpy", "redis"} | OWN


def test_the_stranger_imports_nothing_of_ours() -> None:
    imported = {
        name.partition(".")[0]
        for path in FOLDER.glob("*.py")
        if path.name != Path(__file__).name
        for name in _imports(path)
    }

    assert imported - sys.stdlib_module_names - ALLOWED == set()


def _imports(path: Path) -> list[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return plain + [n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module]


@pytest.mark.e2e
@pytest.mark.timeout(420)
def test_a_stranger_finds_windows_alarms_and_dead_letters_as_the_contract_says(
    tmp_path: Path,
) -> None:
    with RunningProduct(tmp_path, "--sources", "none") as run:
        run.wait_ready()
        visit = subprocess.run(
            [sys.executable, SCRIPT],
            env=run.environ | {"OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    assert visit.returncode == 0, f"{visit.stdout}\n{visit.stderr}"
