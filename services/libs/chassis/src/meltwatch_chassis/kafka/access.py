"""Whether a broker lets us in and lets us do what we must; if not, the first cause in one line."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from kafka.errors import AuthorizationError, KafkaError
from kafka.protocol.metadata import MetadataRequest
from meltwatch_schemas.access import Right
from meltwatch_schemas.text import escaped

from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import ConfigurationError, DependencyUnreachable, FatalError
from meltwatch_chassis.kafka.rights import lacking
from meltwatch_chassis.kafka.talk import introduced, who

_PAUSE_S: Final = 0.25
_NS_PER_MS: Final = 1_000_000


class TopicMissing(DependencyUnreachable):
    """A topic is not there, or we may not see it.

    Parameters
    ----------
    topic
        Full name.
    servers
        Where it was looked for, if that is known where it was missed.

    Attributes
    ----------
    topic
        Full name.
    """

    def __init__(self, topic: str, servers: str | None = None) -> None:
        place = f"Kafka at {servers}" if servers else "Kafka"
        super().__init__(
            f"{place}: expected the topic {topic}, it is missing; run 'meltwatch topics create'"
        )
        self.topic = topic


def refusal(connection: Mapping[str, Any], rights: Sequence[Right] = ()) -> FatalError | None:
    """Return why no broker of the list lets this client in with its rights, None if one does.

    It asks by itself, step by step (TCP, TLS, Kafka, login, rights): the clients hide the cause.

    Parameters
    ----------
    connection
        Arguments of ``connection_arguments``.
    rights
        Of ``rights_of``.
    """
    reasons: list[FatalError] = []
    for server in connection["bootstrap_servers"]:
        try:
            with introduced(server, connection) as talk:
                absent = lacking(talk, rights)
        except FatalError as error:
            reasons.append(error)
        else:
            if not absent:
                return None
            reasons.append(refused_rights(connection, absent))
    return min(reasons, key=lambda reason: reason.exit_code, default=None)


def is_served(connection: Mapping[str, Any]) -> bool:
    """Tell whether a broker of the list lets this client in and has joined its cluster.

    Parameters
    ----------
    connection
        Arguments of ``connection_arguments``.
    """
    for server in connection["bootstrap_servers"]:
        with suppress(FatalError), introduced(server, connection) as talk:
            if talk.ask(MetadataRequest(version=1, topics=[])).brokers:
                return True
    return False


def require_access(
    connection: Mapping[str, Any], rights: Sequence[Right], patience_ms: int = 0
) -> None:
    """Check that a broker lets us in and gives us our rights.

    Parameters
    ----------
    connection
        Arguments of ``connection_arguments``.
    rights
        Of ``rights_of``.
    patience_ms
        How long to wait for a broker that does not answer yet.

    Raises
    ------
    ConfigurationError
        If the login, TLS or a right is wrong.
    DependencyUnreachable
        If no broker answers.
    """
    clock = SystemClock()
    end_ns = clock.monotonic_ns() + patience_ms * _NS_PER_MS
    while (reason := refusal(connection, rights)) is not None:
        if isinstance(reason, ConfigurationError) or clock.monotonic_ns() >= end_ns:
            raise reason
        time.sleep(_PAUSE_S)


@contextmanager
def explained(connection: Mapping[str, Any], rights: Sequence[Right]) -> Iterator[None]:
    """Turn the client's errors into one line that names the cause.

    Parameters
    ----------
    connection
        Arguments of ``connection_arguments``.
    rights
        What the work in the block needs.

    Raises
    ------
    ConfigurationError
        If the login, TLS or a right is wrong.
    DependencyUnreachable
        If the broker does not answer.
    """
    try:
        yield
    except (KafkaError, TopicMissing) as error:
        raise explanation(connection, rights, error) from error


def explanation(
    connection: Mapping[str, Any], rights: Sequence[Right], error: Exception
) -> FatalError:
    """Return the cause of a client's error: a refused login, a missing right, or its own words."""
    if (reason := refusal(connection, rights)) is not None:
        return reason
    servers = ",".join(connection["bootstrap_servers"])
    if isinstance(error, TopicMissing):
        return TopicMissing(error.topic, servers)
    if isinstance(error, FatalError):
        return error
    said = escaped(" ".join(str(error).split())) or type(error).__name__
    kind = ConfigurationError if isinstance(error, AuthorizationError) else DependencyUnreachable
    doing = ", ".join(["Kafka", *getattr(error, "__notes__", ())])
    return kind(f"{doing}: expected an answer from {servers}, got: {said}")


@contextmanager
def noted(what: str) -> Iterator[None]:
    """Note on the client's errors what was being done, and where, for ``explained`` to say."""
    try:
        yield
    except KafkaError as error:
        error.add_note(what)
        raise


def refused_rights(connection: Mapping[str, Any], rights: Sequence[Right]) -> ConfigurationError:
    """Return the error of rights that the broker does not give."""
    servers = ",".join(connection["bootstrap_servers"])
    wanted = ", ".join(str(right) for right in rights)
    return ConfigurationError(
        f"Kafka at {servers}: expected {wanted}, the broker refuses it for {who(connection)}; "
        "see 'meltwatch topics acls'"
    )
