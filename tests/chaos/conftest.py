"""Servers to break, and the rounds of a campaign that are part of the tests."""

import gc
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from meltwatch_local_cluster.servers import TritonServer

    from tests.chaos.stage import Stage

# Shorter ones end while a busy machine still starts a process, again and again.
_SESSION_S = 4.0
_SPEED = 4.0


@pytest.fixture(scope="module")
def stage(triton: "TritonServer", tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Stage]":
    # Imported late: kafka-python's import warns before the root conftest has filtered it.
    from tests.chaos.stage import Stage  # noqa: PLC0415

    with Stage(tmp_path_factory.mktemp("chaos"), triton, _SESSION_S, _SPEED) as made:
        yield made


@pytest.fixture
def ends_in_zeros(stage: "Stage") -> Iterator[Callable[[str], None]]:
    """Run the tested rounds of a campaign and look at its verdict."""

    def run(name: str) -> None:
        from tests.chaos.campaigns import CAMPAIGNS  # noqa: PLC0415
        from tests.chaos.report import table  # noqa: PLC0415

        campaign = CAMPAIGNS[name]
        report = campaign.run(stage, campaign.tested, 1)
        print(f"\n{table([report])}")
        assert not report.faults, table([report])

    yield run
    # Forgotten sockets shall be found here, where they are forgiven, and not in the next test.
    gc.collect()
