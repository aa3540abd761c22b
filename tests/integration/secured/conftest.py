"""One plant with logins and rights for all modules here; each test gives back what it takes."""

# Clients are imported where used: pytest reads this file before it has set its warning filters.
# ruff: noqa: PLC0415

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.unit.alarm_manager.conftest import plain_thresholds

if TYPE_CHECKING:
    from tests.integration.secured.bench import Plant

__all__ = ["plain_thresholds"]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Plant]":
    from tests.integration.secured.bench import Plant

    folder = tmp_path_factory.mktemp("secured")
    with Plant(folder) as made:
        yield made
    shutil.rmtree(folder, ignore_errors=True)
