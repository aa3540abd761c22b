"""A test that starts another program says so: by the marker ``programs``.

``make test-unit`` leaves those out, so it stays short, and ``make test`` has them. This plugin
refuses a program to a test of ``make test-unit`` that lacks the marker. A fork alone is none.
"""

import sys
from collections.abc import Iterator

import pytest

_FOLDERS = ("tests/unit/", "tests/architecture/", "tests/contract/wire/")
_STARTS = frozenset({"subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system"})
_unmarked: list[str] = []
"""The test that runs now, if it may start nothing."""


def pytest_configure() -> None:
    """Look at every program that this process starts from now on."""
    sys.addaudithook(_refuse)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """Tell which test runs, its fixtures included."""
    if item.nodeid.startswith(_FOLDERS) and item.get_closest_marker("programs") is None:
        _unmarked.append(item.nodeid)
    try:
        return (yield)
    finally:
        _unmarked.clear()


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if _unmarked and event in _STARTS:
        pytest.fail(
            f"{_unmarked[0]} starts {arguments[0]}: expected the marker `programs`"
            " (pytestmark = pytest.mark.programs)",
            pytrace=False,
        )
