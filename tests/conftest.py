"""Fixtures that every test may ask for; nothing starts before a test asks."""

import pytest

from tests.support.servers import kafka, redis_of_session, redis_server, topics, triton

__all__ = ["kafka", "redis_of_session", "redis_server", "topics", "triton"]


def pytest_configure(config: pytest.Config) -> None:
    # kafka-python reads its protocol files by calls that Python 3.11 and 3.12 deprecate.
    config.addinivalue_line(
        "filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning"
    )
