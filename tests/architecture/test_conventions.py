"""Promises that hold for the whole source and that no linter of ours knows."""

import ast
import tomllib
from pathlib import Path

from tests.support.known_variables import FILE, module_text, settings_classes
from tests.support.source import Module, modules_of


def test_the_known_variables_are_those_of_all_settings() -> None:
    assert FILE.read_text() == module_text(), "run make schemas"


def test_every_setting_is_described() -> None:
    missing = [
        (each.__name__, name)
        for each in settings_classes()
        for name, field in each.model_fields.items()
        if not field.description
    ]

    assert missing == []


def undocumented(module: Module) -> list[str]:
    """Give the public names of a module that have no docstring, methods of public classes too."""
    missing = [] if ast.get_docstring(module.tree) or not module.text.strip() else [module.name]
    nodes: list[ast.stmt] = list(module.tree.body)
    for node in nodes:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("_"):
                continue
            if ast.get_docstring(node, clean=False) is None:
                missing.append(f"{module.name}:{node.lineno} {node.name}")
            if isinstance(node, ast.ClassDef):
                nodes.extend(node.body)
    return missing


def test_every_module_and_public_name_has_a_docstring() -> None:
    assert [line for module in modules_of() for line in undocumented(module)] == []


def test_no_module_acts_on_import() -> None:
    """A module's body defines and assigns: a bare call at its top would be an act."""
    acts = [
        f"{module.name}:{node.lineno}"
        for module in modules_of()
        for node in module.tree.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]

    assert acts == []


def test_whoever_brings_a_kafka_client_brings_every_codec() -> None:
    files = [*Path("services").glob("**/pyproject.toml")]
    needs = [
        need
        for file in files
        for need in tomllib.loads(file.read_text())["project"].get("dependencies", [])
        if need.startswith(("aiokafka", "kafka-python"))
    ]

    assert len(needs) >= 7
    assert [need for need in needs if "[lz4,snappy,zstd]" not in need] == []
