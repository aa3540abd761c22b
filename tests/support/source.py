"""The product's own source as syntax trees, for the tests that judge it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Module:
    """One source file."""

    path: Path

    @cached_property
    def text(self) -> str:
        """The file's content."""
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        """The file as a syntax tree."""
        return ast.parse(self.text)

    @property
    def name(self) -> str:
        """The path below the repository."""
        return str(self.path.relative_to(ROOT))

    def imported(self) -> Iterator[str]:
        """Give the full name of each module that is imported anywhere in the file."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module


def modules_of(folder: str = "") -> list[Module]:
    """Give the runtime modules below a folder of the repository; all of them without one."""
    found = sorted((ROOT / folder).glob("**/src/meltwatch_*/**/*.py"))
    return [Module(path) for path in found if not _is_hidden(path)]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(ROOT).parts)
