"""Each server killed, frozen, refusing: who depends on it is not ready, says why, and is back.

Each way within 15 s, from the fault and from the server's first answer, and as much more as the
machine kept our processes waiting.
"""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.integration.health.site import DEPENDENTS, FAULTS, ON_KAFKA, Site
from tests.integration.stream_processor.worker import Worker
from tests.support.promise import Promise

pytestmark = [pytest.mark.integration, pytest.mark.long]

CELLS = [(dependency, fault) for dependency in DEPENDENTS for fault in FAULTS]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site.standing(tmp_path_factory.mktemp("site")) as site:
        yield site


def says(service: Worker, word: str) -> bool:
    """Whether a service is not ready because of something; it is healthy meanwhile."""
    health, line = service.ask("healthz"), service.ask("readyz")
    assert health in ("ok\n", ""), health  # nothing: a busy machine
    assert line.count("\n") <= 1, line
    return bool(health) and word.lower() in line.lower()


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

    def all_say(word: str, promise: Promise) -> None:
        for name in dependents:
            service = site.services[name]
            promise.until(partial(says, service, word), partial(service.ask, "readyz"))

    before = news()
    promise = Promise()
    FAULTS[fault].strikes(server)
    try:
        all_say(dependency, promise)
        # A loop may notice before the probe does, whose line it is.
        lost_once = [(m + 1, n) for m, n in before]
        promise.until(lambda: news() == lost_once, lambda: str(news()))
        for name in set(ON_KAFKA) - set(dependents):
            site.services[name].until_ready()
    finally:
        FAULTS[fault].ends(server)
    promise = Promise()
    all_say("ok\n", promise)
    back_once = [(m + 1, n + 1) for m, n in before]
    promise.until(lambda: news() == back_once, lambda: str(news()))


def test_nobody_was_called_to_order_for_pings(site: Site) -> None:
    assert "too_many_pings" not in site.services["stream_processor"].log.read_text()
