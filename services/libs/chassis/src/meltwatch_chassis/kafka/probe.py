"""Asks Kafka whether it would let us in now: address, TLS, login, an answer, our rights."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from meltwatch_schemas.access import Right

from meltwatch_chassis.dependencies import Probe
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.kafka.access import refusal


def kafka_probe(connection: Mapping[str, Any], rights: Sequence[Right]) -> Probe:
    """Return a probe that is content with any one of the bootstrap servers.

    Each time over a new connection: one that stands would not show that the next is refused.

    Parameters
    ----------
    connection
        Arguments of ``connection_arguments``.
    rights
        What we must be allowed to do: one that is taken away is missed before it is needed.
    """
    each = [{**connection, "bootstrap_servers": [one]} for one in connection["bootstrap_servers"]]

    async def ask() -> None:
        problems = await asyncio.gather(*(asyncio.to_thread(refusal, one, rights) for one in each))
        if all(problems):
            raise TransientError("; ".join(str(problem) for problem in problems))

    return ask
