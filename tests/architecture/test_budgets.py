"""Small modules, small functions, few parameters; the worst five are printed (``pytest -s``)."""

import ast
from collections.abc import Callable, Iterator
from statistics import median

import pytest

from tests.support.source import Module, modules_of

Function = ast.FunctionDef | ast.AsyncFunctionDef
Measure = Callable[[Module], Iterator[tuple[int, str]]]


def functions_of(module: Module) -> Iterator[Function]:
    return (node for node in ast.walk(module.tree) if isinstance(node, Function))


def module_lines(module: Module) -> Iterator[tuple[int, str]]:
    yield len(module.text.splitlines()), module.name


def function_lines(module: Module) -> Iterator[tuple[int, str]]:
    """Measure the code: a docstring costs nothing, or people would save on it."""
    for function in functions_of(module):
        first = function.body[0]
        has_docstring = ast.get_docstring(function) is not None
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


def test_the_median_module_is_near_100_lines() -> None:
    assert median(lines for module in modules_of() for lines, _ in module_lines(module)) <= 120
