"""What aiokafka raises in our own terms: pass away, last, a right that is missing."""

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
def kafka_failures(what: str) -> Iterator[None]:
    """Turn what the client raises into a ``TransientError`` that says what was being done.

    An answer that the client itself stumbles over is a failure like any other, and so is a
    cancellation that nobody asked for: a consumer that stops while its broker is away lets out
    that of its own fetches.
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
        raise TransientError(escaped(f"Kafka, {what}: {error!r}")[:_LONGEST]) from error


@contextmanager
def broker_expected() -> Iterator[None]:
    """Turn the client's errors at the start into ``DependencyUnreachable``."""
    try:
        yield
    except KafkaError as error:
        raise DependencyUnreachable(f"Kafka: expected a broker, got {error}") from error


def failure(error: KafkaError, what: str) -> TransientError | FatalError:
    """Return what an error of sending means: it may succeed later, or it never will."""
    text = f"{what}: {type(error).__name__}: {error}"
    # A timeout says that the broker was away for long: not "retriable" to the client.
    is_timeout = type(error).__name__.endswith("TimeoutError")
    return TransientError(text) if error.retriable or is_timeout else FatalError(text)


def is_refusal(error: BaseException | None) -> bool:
    """Tell whether a client has failed because a right is missing."""
    return isinstance(error, _REFUSALS)
