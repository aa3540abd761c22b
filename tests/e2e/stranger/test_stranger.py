"""The stranger's programs know the contract and nothing else; what he finds: see ``tests/e2e``."""

import ast
import sys
from pathlib import Path

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
