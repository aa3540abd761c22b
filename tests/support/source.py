"""The product's own source as syntax trees, for the tests that judge it."""

import ast
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
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

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree: what walks it costs more than what looks at it."""
        return tuple(ast.walk(self.tree))

    @property
    def name(self) -> str:
        """The path below the repository."""
        return str(self.path.relative_to(ROOT))

    @cached_property
    def dotted(self) -> str:
        """The name by which it is imported."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[parts.index("src") + 1 :]).removesuffix(".__init__")

    @cached_property
    def code_lines(self) -> int:
        """How many lines hold code: no blank ones, comments or docstrings, as they cost nothing."""
        texts = enumerate(map(str.strip, self.text.splitlines()), start=1)
        lines = {number for number, text in texts if text and not text.startswith("#")}
        for node in self.nodes:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                lines.difference_update(range(node.lineno, (node.end_lineno or 0) + 1))
        return len(lines)

    def imported(self) -> Iterator[str]:
        """Give the full name of each module that is imported anywhere in the file."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module


def modules_of(folder: str = "") -> tuple[Module, ...]:
    """Give the runtime modules below a folder of the repository; all of them without one."""
    return tuple(module for module in _modules() if module.path.is_relative_to(ROOT / folder))


@cache
def _modules() -> tuple[Module, ...]:
    """Give those of all members of the workspace, each read and parsed once."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    members = project["tool"]["uv"]["workspace"]["members"]
    found = {
        path
        for member in members
        for folder in ROOT.glob(member)
        for path in folder.glob("src/meltwatch_*/**/*.py")
    }
    return tuple(Module(path) for path in sorted(found))


def importers_of(modules: Sequence[Module]) -> dict[str, set[str]]:
    """Give by dotted name which modules import a module."""
    names = {module.dotted for module in modules}
    importers: dict[str, set[str]] = defaultdict(set)
    for module in modules:
        for node in module.nodes:
            if isinstance(node, ast.Import):
                found = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                full = {f"{node.module}.{alias.name}" for alias in node.names}
                found = {name if name in names else node.module for name in full}
            else:
                continue
            for name in found & names:
                importers[name].add(module.dotted)
    return importers
