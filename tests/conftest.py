"""Fixtures that every test may ask for; nothing starts before a test asks."""

import gc
import os
import signal
from collections.abc import Iterator
from typing import Any

import hypothesis
import numpy as np  # noqa: F401 - its threads are limited here
import pytest
import structlog
from threadpoolctl import threadpool_limits
from xdist.scheduler import LoadFileScheduling

from tests.support import examples, programs, survivors
from tests.support.servers import (
    kafka,
    redis_of_session,
    redis_server,
    topics,
    triton,
    warm_console,
    warm_manager,
)

threadpool_limits(1)  # as every service does: for our small products threads are a loss
os.environ["PYTHONFAULTHANDLER"] = "1"  # a process of ours that hangs can be asked where
examples.register_profiles()
hypothesis.settings.load_profile(examples.GATE)

__all__ = [
    "kafka",
    "redis_of_session",
    "redis_server",
    "topics",
    "triton",
    "warm_console",
    "warm_manager",
]


@pytest.fixture(autouse=True)
def process_of_each_test() -> Iterator[None]:
    """Commands that run in this process set up logging and Ctrl-C: nobody inherits that."""
    before = signal.getsignal(signal.SIGINT)
    yield
    if signal.getsignal(signal.SIGINT) is not before:
        signal.signal(signal.SIGINT, before)
    if structlog.is_configured():
        structlog.reset_defaults()


def pytest_configure(config: pytest.Config) -> None:
    survivors.pytest_configure()
    config.pluginmanager.register(programs)


class OneWorkerEach(LoadFileScheduling):
    """Whole files go to one worker, and whole folders whose files share what was made or read."""

    def _split_scope(self, nodeid: str) -> str:
        shared = ("tests/architecture/", "tests/unit/k8s/")
        file: str = super()._split_scope(nodeid)
        return next((folder for folder in shared if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return OneWorkerEach(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is imported and collected stays until the end: nobody looks for garbage in it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


LONG_S = 1800
"""When a test that takes minutes is taken for hung."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Whoever hangs is ended: a net, no promise. A busy machine takes three times as long."""
    if item.get_closest_marker("long") and not item.config.getoption("timeout"):
        item.add_marker(pytest.mark.timeout(LONG_S))


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
