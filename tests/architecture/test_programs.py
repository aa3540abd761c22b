import asyncio
import os
import subprocess
from collections.abc import Callable

import pytest

REFUSED = r"^tests/architecture/test_programs\.py::.* starts .*: expected the marker `programs`"


def by_asyncio() -> None:
    asyncio.run(asyncio.create_subprocess_exec("true"))


@pytest.mark.parametrize(
    "start",
    [
        lambda: subprocess.run(["true"], check=True),
        lambda: subprocess.run("true", shell=True, check=True),  # noqa: S602
        lambda: os.system("true"),  # noqa: S605
        lambda: os.posix_spawn("/bin/true", ["true"], {}),
        lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
        by_asyncio,
    ],
)
def test_a_test_without_the_marker_starts_no_program(start: Callable[[], object]) -> None:
    with pytest.raises(pytest.fail.Exception, match=REFUSED):
        start()


@pytest.fixture(scope="module")
def of_a_fixture() -> None:
    with pytest.raises(pytest.fail.Exception, match=REFUSED):
        subprocess.run(["true"], check=True)


def test_what_a_fixture_starts_is_its_tests(of_a_fixture) -> None:
    pass


@pytest.mark.programs
def test_with_the_marker_it_does() -> None:
    subprocess.run(["true"], check=True)
