"""Whether a broker lets us in and lets us do what we must; if not, the first cause in one line."""

import ssl
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.errors import AuthorizationError, KafkaError
from kafka.net.sasl import get_sasl_mechanism
from kafka.protocol.metadata import ApiVersionsRequest, MetadataRequest
from kafka.protocol.parser import KafkaProtocol
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest
from meltwatch_schemas.access import Resource, Right
from meltwatch_schemas.text import escaped

from meltwatch_chassis.connecting import STEP_S, TLS_ALERT, Peer, opened
from meltwatch_chassis.errors import ConfigurationError, DependencyUnreachable, FatalError

_PROTOCOL: Final = "MELTWATCH_KAFKA_SECURITY_PROTOCOL"
_MOST_BYTES: Final = 1024 * 1024
_MOST_READS: Final = 64
_NOT_AUTHORISED: Final = 29


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


def refusal(connection: Mapping[str, Any]) -> FatalError | None:
    """Return why no broker of the list lets this client in, None if one does.

    It asks by itself, step by step (TCP, TLS, Kafka, login), because the clients hide the cause.

    Parameters
    ----------
    connection
        Arguments of ``connection_arguments``.
    """
    reasons: list[FatalError] = []
    for server in connection["bootstrap_servers"]:
        try:
            _introduce(Peer("Kafka", server, "MELTWATCH_KAFKA_CA_FILE"), connection)
        except FatalError as error:
            reasons.append(error)
        else:
            return None
    return min(reasons, key=lambda reason: reason.exit_code, default=None)


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
    reason = refusal(connection)
    if isinstance(reason, ConfigurationError) or (reason and not patience_ms):
        raise reason
    options = {**connection, "bootstrap_timeout_ms": max(patience_ms, int(STEP_S * 1000))}
    with explained(connection, ()), closing(KafkaAdminClient(**options)) as admin:
        if absent := lacking(admin, rights):
            raise refused_rights(connection, absent)


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
    """Return the cause of a client's error: no entry, a missing right, or what the client said."""
    if (reason := refusal(connection)) is not None:
        return reason
    try:
        if rights:
            require_access(connection, rights)
    except FatalError as cause:
        return cause
    servers = ",".join(connection["bootstrap_servers"])
    if isinstance(error, TopicMissing):
        return TopicMissing(error.topic, servers)
    if isinstance(error, FatalError):
        return error
    said = escaped(" ".join(str(error).split())) or type(error).__name__
    kind = ConfigurationError if isinstance(error, AuthorizationError) else DependencyUnreachable
    return kind(f"Kafka: expected an answer from {servers}, got: {said}")


def lacking(admin: KafkaAdminClient, rights: Sequence[Right]) -> list[Right]:
    """Return those rights that the broker does not give us."""
    names = list(dict.fromkeys(r.name for r in rights if _is_named_topic(r)))
    topics = {topic["name"]: topic for topic in admin.describe_topics(names)} if names else {}
    absent: list[Right] = []
    for right in rights:
        if _is_named_topic(right):
            has = _has_topic_right(topics.get(right.name, {}), right)
        elif right.resource is Resource.GROUP:
            has = _may(partial(admin.describe_groups, [right.name]))
        elif right.resource is Resource.TRANSACTIONAL_ID:
            has = _may(partial(admin.describe_transactions, [right.name]))
        elif right.resource is Resource.CLUSTER:
            has = right.operation in admin.describe_cluster()["authorized_operations"]
        else:
            has = True  # of a prefix nothing can be asked before there is a topic
        if not has:
            absent.append(right)
    return absent


def refused_rights(connection: Mapping[str, Any], rights: Sequence[Right]) -> ConfigurationError:
    """Return the error of rights that the broker does not give."""
    servers = ",".join(connection["bootstrap_servers"])
    wanted = ", ".join(str(right) for right in rights)
    return ConfigurationError(
        f"Kafka at {servers}: expected {wanted}, the broker refuses it for {_who(connection)}; "
        "see 'meltwatch topics acls'"
    )


def _is_named_topic(right: Right) -> bool:
    return right.resource is Resource.TOPIC and not right.prefixed


def _has_topic_right(topic: Mapping[str, Any], right: Right) -> bool:
    if topic.get("error_code") == _NOT_AUTHORISED:
        return False
    operations = topic.get("authorized_operations")
    return operations is None or right.operation in operations


def _may(ask: Any) -> bool:
    try:
        ask()
    except AuthorizationError:
        return False
    except KafkaError:
        return True  # it may; whether there is such a thing yet is another matter
    return True


def _who(connection: Mapping[str, Any]) -> str:
    if user := connection.get("sasl_plain_username"):
        return f"user {user!r}"
    if "ssl_context" in connection:
        return "the owner of our certificate"
    return "clients without a login"


def _introduce(peer: Peer, connection: Mapping[str, Any]) -> None:
    """Go through every step of a connection; the first that fails raises."""
    with opened(peer, connection.get("ssl_context")) as channel:
        talk = _Talk(peer, channel)
        talk.ask(ApiVersionsRequest(version=0))
        mechanism = connection.get("sasl_mechanism")
        if mechanism is None:
            talk.ask(MetadataRequest(version=1, topics=[]), then="a login (SASL)")
            return
        answer = talk.ask(SaslHandshakeRequest(version=1, mechanism=mechanism))
        if answer.error_code:
            offered = ", ".join(answer.mechanisms) or "no login at all"
            raise peer.wrong(f"a listener that takes {mechanism}", f"one that takes {offered}")
        _log_in(talk, peer, connection)


def _log_in(talk: "_Talk", peer: Peer, connection: Mapping[str, Any]) -> None:
    login = get_sasl_mechanism(connection["sasl_mechanism"])(host=peer.address, **connection)
    while not login.is_done():
        answer = talk.ask(SaslAuthenticateRequest(version=0, auth_bytes=login.auth_bytes()))
        if answer.error_code:
            raise peer.wrong(f"the broker to let {_who(connection)} in", "wrong user or password")
        try:
            login.receive(answer.auth_bytes)
        except (ValueError, LookupError) as error:
            raise peer.wrong("a broker that knows our password", "a false proof of it") from error


class _Talk:
    """Asks a server in Kafka's protocol, and says what it is if it is no broker."""

    def __init__(self, peer: Peer, channel: Any) -> None:
        self._peer = peer
        self._channel = channel
        self._protocol = KafkaProtocol(client_id="meltwatch", receive_message_max_bytes=_MOST_BYTES)

    def ask(self, request: Any, then: str | None = None) -> Any:
        """Return the answer; ``then`` says what the server may want if it hangs up."""
        self._protocol.send_request(request)
        try:
            self._channel.sendall(self._protocol.send_bytes())
            return self._answer(then)
        except TimeoutError as error:
            raise self._peer.away(f"no answer in {STEP_S:.0f} s") from error
        except ssl.SSLError as error:
            raise self._refused_certificate(error) from error
        except OSError as error:
            raise self._hung_up(then) from error
        except (KafkaError, ValueError, LookupError, TypeError, struct.error) as error:
            raise self._peer.wrong("a Kafka broker", "an answer in another protocol") from error

    def _answer(self, then: str | None) -> Any:
        for _ in range(_MOST_READS):
            data = self._channel.recv(65_536)
            if not data:
                raise self._hung_up(then)
            if data.startswith(TLS_ALERT):
                raise self._peer.wrong(f"what {_PROTOCOL} says", "a server that wants TLS")
            if answers := self._protocol.receive_bytes(data):
                return answers[0][1]
        raise ValueError("no whole answer")

    def _refused_certificate(self, error: ssl.SSLError) -> FatalError:
        alert = f"the TLS alert {error.reason}"
        if "CERTIFICATE_REQUIRED" in (error.reason or ""):
            expected = "a broker that wants no client certificate, or one of ours in"
            return self._peer.wrong(f"{expected} MELTWATCH_KAFKA_CERTIFICATE_FILE", alert)
        return self._peer.wrong("the broker to take our TLS and client certificate", alert)

    def _hung_up(self, then: str | None) -> FatalError:
        wanted = then or ("a client certificate" if self._is_tls else "TLS")
        return self._peer.wrong(
            "a Kafka broker that talks to us", f"a closed connection: does it want {wanted}?"
        )

    @property
    def _is_tls(self) -> bool:
        return isinstance(self._channel, ssl.SSLSocket)
