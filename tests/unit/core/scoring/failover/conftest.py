"""Two servers that do as they are told."""

import pytest

from tests.unit.core.scoring.failover.bench import FakeEndpoint


@pytest.fixture
def a() -> FakeEndpoint:
    return FakeEndpoint("a:1")


@pytest.fixture
def b() -> FakeEndpoint:
    return FakeEndpoint("b:1")
