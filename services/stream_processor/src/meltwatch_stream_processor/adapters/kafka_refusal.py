"""Which of aiokafka's errors say that a right is missing; they have no kind in common."""

from typing import Final

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

_REFUSALS: Final = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)


def is_refusal(error: BaseException | None) -> bool:
    """Tell whether a client has failed because a right is missing."""
    return isinstance(error, _REFUSALS)
