"""A server at an IPv6 address is reached there, and named as a setting would name it."""

import socket
from collections.abc import Callable

import pytest
from meltwatch_chassis.kafka.access import refusal
from meltwatch_chassis.redis_access import redis_problem
from meltwatch_chassis.settings import RedisSettings


def of_kafka(address: str) -> str:
    return str(refusal({"bootstrap_servers": [address]}))


def of_redis(address: str) -> str:
    return str(redis_problem(RedisSettings(redis=f"redis://{address}/0"), ConnectionError("gone")))


@pytest.mark.parametrize("problem", [of_kafka, of_redis])
def test_a_server_that_is_away_is_named_with_its_brackets(problem: Callable[[str], str]) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        address = f"[::1]:{listener.getsockname()[1]}"
    said = problem(address)
    assert f" at {address}: " in said
    assert "refused" in said
