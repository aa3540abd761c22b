"""Asks Kafka whether it would let us in now: address, TLS, login, an answer."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaError

from meltwatch_chassis.dependencies import ANSWER_S, Probe
from meltwatch_chassis.errors import TransientError

_LOGIN: Final = (
    "security_protocol", "ssl_context", "sasl_mechanism", "sasl_plain_username",
    "sasl_plain_password",
)  # fmt: skip
_ANSWER_S: Final = ANSWER_S - 1


def kafka_probe(connection: Mapping[str, Any]) -> Probe:
    """Return a probe that is content with any one of the bootstrap servers.

    Each time over a new connection: one that stands would not show that the next is refused.

    Parameters
    ----------
    connection
        Arguments of ``connection_arguments``.
    """
    servers = [(host, port) for host, port, _ in collect_hosts(connection["bootstrap_servers"])]
    login = {name: connection[name] for name in _LOGIN if name in connection}

    async def ask() -> None:
        problems = await asyncio.gather(*(_problem(host, port, login) for host, port in servers))
        if all(problems):
            raise TransientError("; ".join(problem for problem in problems if problem))

    return ask


async def _problem(host: str, port: int, login: Mapping[str, Any]) -> str | None:
    """Return what keeps us from using a server: one line, or None."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            connection = await create_conn(host, port, **login)
    except TimeoutError:
        return f"no answer from {host}:{port} within {_ANSWER_S:.0f} s"
    except (KafkaError, OSError) as error:
        return f"expected to be let in by {host}:{port}, got {type(error).__name__}: {error}"
    await connection.close()
    return None
