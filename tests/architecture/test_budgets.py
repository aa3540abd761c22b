"""Budgets of modules, functions and parameters; the worst five are printed (``pytest -s``).

What counts are lines of code: docstrings, comments and blank lines cost nothing.
"""

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.support.source import Module, importers_of, modules_of

Function = ast.FunctionDef | ast.AsyncFunctionDef
Measure = Callable[[Module], Iterator[tuple[int, str]]]

SMALL = 60
# What is left of before these budgets. Both lists may only shrink: no module joins them.
STILL_LARGE = {
    "meltwatch_core.alarms.system_alarms",
    "meltwatch_stream_processor.pipeline.engine",
    "meltwatch_stream_processor.pipeline.partition",
}
STILL_SMALL = {
    "meltwatch_alarm_manager.pipeline.reading_proof",
    "meltwatch_chassis.kafka.unpacking",
    "meltwatch_local_cluster.launch.drain",
    "meltwatch_stream_processor.vitals",
}
SMALL_FOR_A_REASON = {
    "meltwatch_local_cluster.launch.notify",  # an option: nothing of it concerns other runs
}


def functions_of(module: Module) -> Iterator[Function]:
    return (node for node in module.nodes if isinstance(node, Function))


def module_lines(module: Module) -> Iterator[tuple[int, str]]:
    yield module.code_lines, module.name


def function_lines(module: Module) -> Iterator[tuple[int, str]]:
    for function in functions_of(module):
        first = function.body[0]
        has_docstring = ast.get_docstring(function, clean=False) is not None
        docstring = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
        lines = (function.end_lineno or 0) - function.lineno + 1 - docstring
        yield lines, f"{module.name}:{function.lineno} {function.name}"


def parameters(module: Module) -> Iterator[tuple[int, str]]:
    for function in functions_of(module):
        names = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        count = sum(argument.arg not in {"self", "cls"} for argument in names)
        yield count, f"{module.name}:{function.lineno} {function.name}"


@pytest.mark.parametrize(
    ("measure", "hard_limit"), [(module_lines, 400), (function_lines, 50), (parameters, 6)]
)
def test_nothing_grows_over_its_budget(measure: Measure, hard_limit: int) -> None:
    sizes = sorted((size for module in modules_of() for size in measure(module)), reverse=True)
    worst = "\n".join(f"{size:5} {where}" for size, where in sizes[:5])
    print(f"\n{measure.__name__}, at most {hard_limit}:\n{worst}")

    assert [size for size in sizes if size[0] > hard_limit] == [], worst


def test_most_code_stands_in_modules_of_80_to_250_lines() -> None:
    sizes = [module.code_lines for module in modules_of()]

    assert sum(size for size in sizes if 80 <= size <= 250) > sum(sizes) / 2
    assert {m.dotted for m in modules_of() if m.code_lines > 250} == STILL_LARGE


def test_a_small_module_with_one_importer_stands_with_it() -> None:
    """A file, a docstring and two import lines must be worth it; adapters are, each by itself."""
    importers = importers_of(modules_of())
    small = {
        module.dotted
        for module in modules_of()
        if module.code_lines < SMALL
        and module.path.stem not in {"__init__", "__main__", "bootstrap", "settings"}
        and "adapters" not in module.path.parts
        and len(importers[module.dotted]) == 1
        # What a library shows to others in its ``__init__`` has more users than that.
        and importers[module.dotted] != {module.dotted.rpartition(".")[0]}
    }

    assert small == STILL_SMALL | SMALL_FOR_A_REASON
