"""Fixtures that every test may ask for; nothing starts before a test asks."""

import signal
from collections.abc import Iterator

import hypothesis
import numpy as np  # noqa: F401 - its threads are limited here
import pytest
import structlog
from threadpoolctl import threadpool_limits

from tests.support import examples, survivors
from tests.support.servers import kafka, redis_of_session, redis_server, topics, triton

threadpool_limits(1)  # as every service does: for our small products threads are a loss
examples.register_profiles()
hypothesis.settings.load_profile(examples.GATE)

__all__ = ["kafka", "redis_of_session", "redis_server", "topics", "triton"]


@pytest.fixture(autouse=True)
def process_of_each_test() -> Iterator[None]:
    """Commands that run in this process set up logging and Ctrl-C: nobody inherits that."""
    before = signal.getsignal(signal.SIGINT)
    yield
    if signal.getsignal(signal.SIGINT) is not before:
        signal.signal(signal.SIGINT, before)
    if structlog.is_configured():
        structlog.reset_defaults()


def pytest_configure() -> None:
    survivors.pytest_configure()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take minutes: what is last in a parallel run is waited for.

    Those that wait for servers come before those that take a core each.
    """
    first = (
        "tests/chaos/",
        "tests/e2e/",
        "tests/unit/cli/test_every_command",
        "tests/integration/",
    )
    items.sort(key=lambda item: [not item.nodeid.startswith(prefix) for prefix in first])
