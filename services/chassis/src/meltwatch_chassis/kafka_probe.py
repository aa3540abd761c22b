"""Asks Kafka whether it would let us in now: address, TLS, login, an answer."""

import asyncio
from collections.abc import Mapping
from typing import Any

from meltwatch_chassis.dependencies import Probe
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.kafka_access import refusal


def kafka_probe(connection: Mapping[str, Any]) -> Probe:
    """Return a probe that is content with any one of the bootstrap servers.

    Each time over a new connection: one that stands would not show that the next is refused.

    Parameters
    ----------
    connection
        Arguments of ``connection_arguments``.
    """
    each = [{**connection, "bootstrap_servers": [one]} for one in connection["bootstrap_servers"]]

    async def ask() -> None:
        problems = await asyncio.gather(*(asyncio.to_thread(refusal, one) for one in each))
        if all(problems):
            raise TransientError("; ".join(str(problem) for problem in problems))

    return ask
