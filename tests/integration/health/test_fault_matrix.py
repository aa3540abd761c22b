"""Each server killed, frozen, refusing: who depends on it is not ready, says why, and is back."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.integration.health.site import DEPENDENTS, FAULTS, ON_KAFKA, Site
from tests.integration.stream_processor.worker import Worker, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

# Promised are 15 s each way; a machine that does five other things is given more.
LIMIT_S = 60.0
CELLS = [(dependency, fault) for dependency in DEPENDENTS for fault in FAULTS]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site.standing(tmp_path_factory.mktemp("site")) as site:
        yield site


def says(service: Worker, word: str) -> bool:
    """Whether a service is not ready because of something; it is healthy meanwhile."""
    assert service.ask("healthz") == "ok\n"
    line = service.ask("readyz")
    assert line.count("\n") == 1, line
    return word.lower() in line.lower()


@pytest.mark.parametrize(("dependency", "fault"), CELLS)
def test_who_depends_on_a_server_says_so_and_is_back(
    site: Site, dependency: str, fault: str
) -> None:
    server, dependents = site.servers[dependency], DEPENDENTS[dependency]
    lost, back = (
        ("triton_endpoint_lost", "triton_endpoint_back")
        if dependency == "triton"
        else ("dependency_lost", "dependency_recovered")
    )

    def news() -> list[tuple[int, int]]:
        return [(len(site.said(name, lost)), len(site.said(name, back))) for name in dependents]

    before = news()
    FAULTS[fault].strikes(server)
    try:
        for name in dependents:
            service = site.services[name]
            wait_until(partial(says, service, dependency), LIMIT_S, partial(service.ask, "readyz"))
        # A loop may notice before the probe does, whose line it is.
        wait_until(lambda: news() == [(m + 1, n) for m, n in before], LIMIT_S, lambda: str(news()))
        for name in set(ON_KAFKA) - set(dependents):
            assert site.services[name].ask("readyz") == "ok\n"
    finally:
        FAULTS[fault].ends(server)
    for name in dependents:
        service = site.services[name]
        wait_until(partial(says, service, "ok\n"), LIMIT_S, partial(service.ask, "readyz"))
    assert news() == [(m + 1, n + 1) for m, n in before]


def test_nobody_was_called_to_order_for_pings(site: Site) -> None:
    assert "too_many_pings" not in site.services["stream_processor"].log.read_text()
