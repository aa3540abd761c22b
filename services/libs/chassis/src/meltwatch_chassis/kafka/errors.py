"""What aiokafka raises in our own terms: it passes away, it lasts, a right is missing."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from meltwatch_schemas.text import escaped

from meltwatch_chassis.errors import DependencyUnreachable, FatalError, TransientError

_LONGEST: Final = 500
_REFUSALS: Final = (  # they have no kind in common
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)


@contextmanager
def kafka_failures(what: str, *, sending: bool = False) -> Iterator[None]:
    """Turn whatever the client raises into a failure that says what was being done, and where.

    It passes away: rights are given back, topics are made, and an answer that the client itself
    stumbles over is not its last. Only of what is sent some will never be taken.

    Parameters
    ----------
    what
        With the topic, and the partition and offset where it is about one.
    sending
        Whether a record is handed over.

    Raises
    ------
    TransientError
        If it may succeed later; also for a cancellation that nobody asked for: a consumer that
        stops while its broker is away lets out that of its own fetches.
    FatalError
        If the record never will be taken: no such topic, not authorised, too large.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        if (this := asyncio.current_task()) is None or this.cancelling():
            raise
        raise TransientError(f"Kafka, {what}: the client gave up") from error
    except (TransientError, FatalError):
        raise
    except Exception as error:
        kind = FatalError if sending and not _passes(error) else TransientError
        raise kind(escaped(f"Kafka, {what}: {error!r}")[:_LONGEST]) from error


@contextmanager
def broker_expected(what: str) -> Iterator[None]:
    """Turn every failure at the start into ``DependencyUnreachable``: nothing is retried yet."""
    try:
        with kafka_failures(what):
            yield
    except TransientError as error:
        raise DependencyUnreachable(str(error)) from error


def _passes(error: Exception) -> bool:
    # A timeout says that the broker was away for long: not "retriable" to the client.
    is_away = isinstance(error, OSError) or type(error).__name__.endswith("TimeoutError")
    return is_away or (isinstance(error, KafkaError) and error.retriable)


def is_refusal(error: BaseException | None) -> bool:
    """Tell whether a client has failed because a right is missing."""
    return isinstance(error, _REFUSALS)
