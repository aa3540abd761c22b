"""One Triton of two killed or frozen: the work goes on, and whoever does it says who is away."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from meltwatch_local_cluster.servers import KafkaServer, TritonServer

from tests.integration.stream_processor.worker import Worker
from tests.support.logs import entries
from tests.support.promise import Promise
from tests.support.relay import Relay
from tests.support.servers import Topics

pytestmark = pytest.mark.integration

FAULTS = {"killed": (Relay.kill, Relay.start), "frozen": (Relay.freeze, Relay.thaw)}


@pytest.fixture
def doors(triton: TritonServer) -> Iterator[tuple[Relay, Relay]]:
    """Two addresses of the same server."""
    with ExitStack() as stack:
        first, second = (stack.enter_context(Relay(triton.address)) for _ in range(2))
        yield first, second


def ups(service: Worker) -> dict[str, int]:
    """What the metric says of each endpoint, by address."""
    found = re.findall(r'dependency_up\{dependency="triton (\S+)"\} (\S+)', service.ask("metrics"))
    return {address: int(float(value)) for address, value in found}


def news(service: Worker) -> list[tuple[str, str]]:
    """Which endpoints were lost and came back, in the order of the log."""
    lines = entries(service.log)
    return [
        (line["event"].removeprefix("triton_endpoint_"), line["endpoint"])
        for line in lines
        if line["event"].startswith("triton_endpoint_")
    ]


def test_each_of_two_endpoints_that_is_away_is_a_warning_within_the_time(
    kafka: KafkaServer, topics: Topics, doors: tuple[Relay, Relay], tmp_path: Path
) -> None:
    addresses = [door.address for door in doors]
    told = {"kafka": kafka.address, "topic_prefix": topics.prefix, "triton": ",".join(addresses)}
    both = dict.fromkeys(addresses, 1)
    expected: list[tuple[str, str]] = []
    with Worker(tmp_path, **told) as service:
        service.until_ready()
        for door in doors:
            for strikes, ends in FAULTS.values():
                promise = Promise()
                strikes(door)
                promise.until(
                    lambda: "warning: " in service.ask("readyz"), partial(service.ask, "metrics")
                )
                said = service.ask("readyz").splitlines()
                assert said[0] == "ok"
                assert said[1].startswith("warning: 1 of 2 scoring endpoints left: ")
                assert door.address in said[1]
                one_up = {address: address != door.address for address in addresses}
                promise.until(lambda up=one_up: ups(service) == up, partial(service.ask, "metrics"))
                ends(door)
                promise = Promise()
                promise.until(
                    lambda: service.ask("readyz") == "ok\n", partial(service.ask, "readyz")
                )
                promise.until(lambda: ups(service) == both, partial(service.ask, "metrics"))
                expected.extend([("lost", door.address), ("back", door.address)])
                promise.until(lambda: news(service) == expected, lambda: str(news(service)))
