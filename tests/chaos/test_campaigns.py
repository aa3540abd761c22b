"""Some rounds of each campaign: nothing lost, changed or out of order, whatever dies."""

import gc
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from meltwatch_local_cluster.servers import TritonServer

    from tests.chaos.stage import Stage

pytestmark = [
    pytest.mark.integration,
    # How soon things go on is no promise: a machine may be busy with other work.
    pytest.mark.timeout(1800),
    # kafka-python forgets to close the sockets of connections that a dead broker refuses.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
# Shorter ones end while a busy machine still starts a process, again and again.
_SESSION_S = 4.0
_SPEED = 4.0


@pytest.fixture(scope="module")
def stage(triton: "TritonServer", tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Stage]":
    # Imported late: kafka-python's import warns before the root conftest has filtered it.
    from tests.chaos.stage import Stage  # noqa: PLC0415

    with Stage(tmp_path_factory.mktemp("chaos"), triton, _SESSION_S, _SPEED) as made:
        yield made


@pytest.fixture(autouse=True)
def _forgotten_sockets() -> Iterator[None]:
    """Let the garbage be found here, where it is forgiven, and not in whatever test is next."""
    yield
    gc.collect()


@pytest.mark.parametrize(
    "name",
    [
        "worker-kill",
        "rebalance",
        "triton",
        "triton-long",
        "broker",
        "leader",
        "producer-kill",
        "manager-kill",
        "forged",
        "redis",
    ],
)
def test_a_campaign_ends_in_zeros(stage: "Stage", name: str) -> None:
    from tests.chaos.campaigns import CAMPAIGNS  # noqa: PLC0415
    from tests.chaos.report import table  # noqa: PLC0415

    campaign = CAMPAIGNS[name]
    report = campaign.run(stage, campaign.tested, 1)
    print(f"\n{table([report])}")
    assert not report.faults, table([report])
